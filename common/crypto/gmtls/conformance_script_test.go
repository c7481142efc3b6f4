// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// rawHello has the fields of both hello messages as they go out.
type rawHello struct {
	version      uint16
	random       []byte
	sessionID    []byte
	suites       []byte // as a server: the one suite
	compressions []byte // as a server: the one method
	extensions   []byte // nil: no block of extensions
	trailing     []byte
}

// client and server return the message.
func (h rawHello) client() []byte {
	b := append(binary.BigEndian.AppendUint16(nil, h.version), h.random...)
	b = appendVector8(b, h.sessionID)
	b = appendVector16(b, h.suites)
	b = appendVector8(b, h.compressions)
	return rawMessage(msgClientHello, h.end(b))
}

func (h rawHello) server() []byte {
	b := append(binary.BigEndian.AppendUint16(nil, h.version), h.random...)
	b = appendVector8(b, h.sessionID)
	b = append(append(b, h.suites...), h.compressions...)
	return rawMessage(msgServerHello, h.end(b))
}

func (h rawHello) end(b []byte) []byte {
	if h.extensions != nil {
		b = appendVector16(b, h.extensions)
	}
	return append(b, h.trailing...)
}

// rawMessage returns a handshake message.
func rawMessage(typ uint8, body []byte) []byte {
	return endMessage(append(beginMessage(nil, typ), body...), 0)
}

func suiteBytes(ids ...uint16) (b []byte) {
	for _, id := range ids {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return b
}

// encryptionKey returns the public key of the second certificate.
func encryptionKey(certs [][]byte) (*ecdsa.PublicKey, error) {
	if len(certs) < 2 {
		return nil, errors.New("no encryption certificate")
	}
	cert, err := smx509.ParseCertificate(certs[1])
	if err != nil {
		return nil, err
	}
	return cert.PublicKey.(*ecdsa.PublicKey), nil
}

func (p *rawPeer) runClient() {
	p.hello = rawHello{
		version: VersionTLCP, random: p.random[0], suites: suiteBytes(p.suite.id), compressions: []byte{compressionNone},
		extensions: appendServerName(nil, testName),
	}
	if p.session != nil {
		p.hello.sessionID = p.session.id
	}
	p.send(stepHello, recordHandshake, p.hello.client())
	_, body := p.message(msgServerHello)
	if p.err != nil {
		return
	}
	p.random[1] = bytes.Clone(body[2:34])
	p.id = bytes.Clone(body[35 : 35+int(body[34])])
	if p.session != nil && bytes.Equal(p.id, p.session.id) {
		p.keys.setMaster(&p.session.master)
		p.readFinished()
		p.sendFinished()
		return
	}
	_, body = p.message(msgCertificate)
	certs, _ := parseCertificate(body)
	_, serverKeys := p.message(msgServerKeyExchange)
	typ, _ := p.message(msgCertificateRequest, msgServerHelloDone)
	if p.asked = typ == msgCertificateRequest; p.asked {
		p.message(msgServerHelloDone)
	}
	if p.err != nil {
		return
	}
	p.sendClientFlight(certs, serverKeys)
	p.sendFinished()
	p.readFinished()
}

func (p *rawPeer) sendClientFlight(certs [][]byte, serverKeys []byte) {
	if p.asked {
		var own [][]byte
		if !p.noCert {
			own = p.cert.Certificate
		}
		p.send(stepCertificate, recordHandshake, appendCertificate(nil, own))
	}
	if p.suite.ecdhe {
		a := p.agreement()
		p.agree(a, certs, serverKeys[4:ecdhParamsLen])
		p.send(stepClientKeys, recordHandshake, rawMessage(msgClientKeyExchange, appendECDHParams(nil, a.EphemeralPublic())))
	} else {
		key, err := encryptionKey(certs)
		if err != nil {
			p.fail("%v", err)
			return
		}
		preMaster, _ := newPreMaster(rand.Reader)
		ciphertext, err := sm2.EncryptASN1(rand.Reader, key, preMaster)
		if err != nil {
			p.fail("%v", err)
			return
		}
		p.keys.setPreMaster(preMaster, p.random[0], p.random[1])
		p.send(stepClientKeys, recordHandshake, appendVectorMessage(nil, msgClientKeyExchange, ciphertext))
	}
	if p.asked && !p.noCert {
		p.send(stepVerify, recordHandshake, appendVectorMessage(nil, msgCertificateVerify, p.sign(p.transcriptHash())))
	}
}

func (p *rawPeer) runServer() {
	_, body := p.message(msgClientHello)
	if p.err != nil {
		return
	}
	p.random[0] = bytes.Clone(body[2:34])
	p.hello = rawHello{
		version: VersionTLCP, random: p.random[1], sessionID: make([]byte, maxSessionIDLen),
		suites: suiteBytes(p.suite.id), compressions: []byte{compressionNone},
	}
	rand.Read(p.hello.sessionID)
	p.id = p.hello.sessionID
	if offered := body[35 : 35+int(body[34])]; p.session != nil && bytes.Equal(offered, p.session.id) {
		p.hello.sessionID = p.session.id
		p.send(stepHello, recordHandshake, p.hello.server())
		p.keys.setMaster(&p.session.master)
		p.sendFinished()
		p.readFinished()
		return
	}
	a := p.sendServerFlight()
	certs, point := p.readClientFlight()
	if p.suite.ecdhe {
		p.agree(a, certs, point)
	}
	p.readFinished()
	p.sendFinished()
}

func (p *rawPeer) sendServerFlight() (a SM2KeyAgreement) {
	p.send(stepHello, recordHandshake, p.hello.server())
	p.send(stepCertificate, recordHandshake, appendCertificate(nil, p.cert.Certificate))
	signed, params := p.cert.Certificate[1], []byte(nil)
	if p.suite.ecdhe {
		a = p.agreement()
		params = appendECDHParams(nil, a.EphemeralPublic())
		signed = params
	}
	p.send(stepServerKeys, recordHandshake, rawMessage(msgServerKeyExchange, appendVector16(params, p.sign(p.exchanged(signed)))))
	if !p.noAsk {
		p.send(stepRequest, recordHandshake, appendCertificateRequest(nil, p.roots.Subjects()))
	}
	p.send(stepDone, recordHandshake, rawMessage(msgServerHelloDone, nil))
	return a
}

// exchanged is what the signature in ServerKeyExchange covers.
func (p *rawPeer) exchanged(signed []byte) []byte {
	return exchangeMessage(p.suite, p.random[0], p.random[1], signed)
}

// readClientFlight reads up to CertificateVerify. For an ECC suite it derives
// the master secret.
func (p *rawPeer) readClientFlight() (certs [][]byte, point []byte) {
	if !p.noAsk {
		_, body := p.message(msgCertificate)
		certs, _ = parseCertificate(body)
	}
	_, body := p.message(msgClientKeyExchange)
	if p.err != nil {
		return nil, nil
	}
	if p.suite.ecdhe {
		point = body[4:]
	} else {
		preMaster, err := decryptPreMaster(rand.Reader, p.cert.EncPrivateKey, body[2:])
		if err != nil {
			p.fail("%v", err)
			return nil, nil
		}
		p.keys.setPreMaster(preMaster, p.random[0], p.random[1])
	}
	if len(certs) > 0 {
		hash := p.transcriptHash()
		key, err := smx509.ParseCertificate(certs[0])
		if err != nil {
			p.fail("%v", err)
			return nil, nil
		}
		_, body := p.message(msgCertificateVerify)
		if p.err == nil && !sm2.VerifyASN1WithSM2(key.PublicKey.(*ecdsa.PublicKey), nil, hash, body[2:]) {
			p.fail("got a wrong CertificateVerify")
		}
	}
	return certs, point
}
