// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"math/big"
	"slices"
	"testing"

	"github.com/emmansun/gmsm/sm2"
)

// What a parser of a message accepts, the writer of the message must be able to
// say again, and the parser must understand that in the same way.

// seedBodies adds the bodies of the messages of a type in the recorded
// connections.
func seedBodies(f *testing.F, typ uint8) {
	f.Helper()
	found := false
	for _, name := range transcriptNames {
		for _, flow := range readFlows(f, transcriptDir+"/"+name+".txt") {
			for rest := flow.data; len(rest) > recordHeaderLen && rest[0] == recordHandshake; {
				n := recordHeaderLen + int(rest[3])<<8 + int(rest[4])
				msg := rest[recordHeaderLen:n]
				if msg[0] == typ {
					f.Add(msg[handshakeHdrLen:])
					found = true
				}
				rest = rest[n:]
			}
		}
	}
	if !found {
		f.Fatalf("no %s in the recorded connections", handshakeTypeName(typ))
	}
	f.Add([]byte{})
}

func FuzzClientHello(f *testing.F) {
	seedBodies(f, msgClientHello)
	for _, block := range [][]byte{
		{}, ext(0x0a0a), ext(extRenegotiationInfo, 0), ext(extServerName, 0, 4, 7, 0, 1, 'a'), ext(extALPN, 0, 2, 1, 'a'),
		appendALPN(appendServerName(nil, "a.test"), []string{"h2", "x"}), append(ext(0x0a0a), ext(0x0a0a)...),
	} {
		h := rawHello{version: VersionTLCP, random: make([]byte, randomLen), sessionID: []byte{1}, suites: suiteBytes(ECC_SM4_GCM_SM3, suiteSCSV),
			compressions: []byte{compressionNone}, extensions: block}
		f.Add(h.client()[handshakeHdrLen:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := parseClientHello(b)
		if !ok {
			return
		}
		if len(h.random) != randomLen || len(h.sessionID) > maxSessionIDLen || len(h.compressions) == 0 ||
			len(h.extensions) > maxExtensions || len(h.serverName) > maxServerNameLen || slices.Contains(h.protocols, "") {
			t.Fatalf("accepted %+v", h)
		}
		again, ok := parseClientHello(appendClientHello(nil, h)[handshakeHdrLen:])
		if !ok || again.version != h.version || !bytes.Equal(again.random, h.random) || !bytes.Equal(again.sessionID, h.sessionID) ||
			!slices.Equal(again.suites, h.suites) || again.serverName != h.serverName || !slices.Equal(again.protocols, h.protocols) {
			t.Fatalf("%+v became %+v (%v)", h, again, ok)
		}
	})
}

func FuzzServerHello(f *testing.F) {
	seedBodies(f, msgServerHello)
	for _, block := range [][]byte{{}, ext(0x0a0a), ext(extServerName), appendALPN(ext(extServerName), []string{"h2"}), ext(extRenegotiationInfo, 0)} {
		h := rawHello{version: VersionTLCP, random: make([]byte, randomLen), sessionID: make([]byte, maxSessionIDLen),
			suites: suiteBytes(ECC_SM4_GCM_SM3), compressions: []byte{compressionNone}, extensions: block}
		f.Add(h.server()[handshakeHdrLen:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, unsolicited, ok := parseServerHello(b)
		if !ok {
			return
		}
		again, _, ok := parseServerHello(appendServerHello(nil, h)[handshakeHdrLen:])
		if !ok || again.version != h.version || !bytes.Equal(again.random, h.random) || !bytes.Equal(again.sessionID, h.sessionID) ||
			again.suite != h.suite || again.compression != h.compression || again.protocol != h.protocol || again.serverName != h.serverName {
			t.Fatalf("%+v became %+v (%v)", h, again, ok)
		}
		if len(h.sessionID) > maxSessionIDLen || unsolicited && len(b) < 38+2+4 {
			t.Fatalf("accepted %+v, unsolicited %v", h, unsolicited)
		}
	})
}

func FuzzCertificateMessage(f *testing.F) {
	seedBodies(f, msgCertificate)
	f.Add([]byte{0, 0, 0})
	f.Add([]byte{0, 0, 8, 0, 0, 1, 7, 0, 0, 1, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		certs, ok := parseCertificate(b)
		if ok && !bytes.Equal(appendCertificate(nil, certs)[handshakeHdrLen:], b) {
			t.Fatalf("%x is not what the %d certificates say", b, len(certs))
		}
	})
}

func FuzzCertificateRequest(f *testing.F) {
	seedBodies(f, msgCertificateRequest)
	f.Add([]byte{1, certTypeECDSA, 0, 0})
	f.Add([]byte{2, certTypeECDSA, certTypeRSA, 0, 6, 0, 1, 7, 0, 1, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		names, ok := parseCertificateRequest(b)
		if !ok {
			return
		}
		again, ok := parseCertificateRequest(appendCertificateRequest(nil, names)[handshakeHdrLen:])
		if !ok || len(b) < maxNamesLen && !slices.EqualFunc(names, again, bytes.Equal) {
			t.Fatalf("%d names became %d (%v)", len(names), len(again), ok)
		}
		(&Certificate{Certificate: [][]byte{b}}).issuedByAny(names)
	})
}

// FuzzVectorMessage is for CertificateVerify, and for both key exchange
// messages of the ECC suites.
func FuzzVectorMessage(f *testing.F) {
	seedBodies(f, msgCertificateVerify)
	seedBodies(f, msgServerKeyExchange)
	seedBodies(f, msgClientKeyExchange)
	_, pair, _ := transcriptPKI(f)
	key := pair.PrivateKey.(*sm2.PrivateKey)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := parseVectorMessage(b)
		if !ok {
			return
		}
		if !bytes.Equal(appendVectorMessage(nil, msgCertificateVerify, v)[handshakeHdrLen:], b) {
			t.Fatalf("%x is not what its vector says", b)
		}
		if sm2.VerifyASN1WithSM2(&key.PublicKey, nil, []byte("a message that nobody signed"), v) {
			t.Fatalf("%x is a valid signature", v)
		}
	})
}

// Whatever a client sends for a pre-master secret, the server continues with a
// secret of the right form, and with the client's only if it decrypts.
func FuzzPreMaster(f *testing.F) {
	_, _, pair := transcriptPKI(f)
	key := pair.EncPrivateKey.(*sm2.PrivateKey)
	for _, secret := range [][]byte{append([]byte{1, 1}, make([]byte, 46)...), make([]byte, 48), make([]byte, 47), {1, 1}} {
		ciphertext, err := sm2.EncryptASN1((&Config{}).rand(), &key.PublicKey, secret)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ciphertext)
	}
	f.Add([]byte("garbage"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		preMaster, err := decryptPreMaster((&Config{}).rand(), key, ciphertext)
		if err != nil || len(preMaster) != preMasterLen || preMaster[0] != 1 || preMaster[1] != 1 {
			t.Fatalf("%d bytes, %v", len(preMaster), err)
		}
		plain, err := key.Decrypt(nil, ciphertext, sm2.ASN1DecrypterOpts)
		isSecret := err == nil && len(plain) == preMasterLen && plain[0] == 1 && plain[1] == 1
		if isSecret != (err == nil && bytes.Equal(plain, preMaster)) {
			t.Fatalf("the ciphertext decrypts to a secret: %v; but not so for the server", isSecret)
		}
	})
}

// FuzzECDHParams is for both key exchange messages of the ECDHE suites, down to
// the key exchange with whatever point comes out.
func FuzzECDHParams(f *testing.F) {
	for _, name := range []string{"client-ecdhe-gcm", "server-ecdhe-cbc"} {
		for _, flow := range readFlows(f, transcriptDir+"/"+name+".txt") {
			if at := bytes.Index(flow.data, []byte{curveTypeNamed, 0, curveSM2, pointLen, 4}); at > 0 {
				f.Add(flow.data[at:min(at+ecdhParamsLen+74, len(flow.data))], false)
				f.Add(flow.data[at:at+ecdhParamsLen], true)
				f.Add(appendVector16(nil, flow.data[at:at+ecdhParamsLen]), true)
			}
		}
	}
	f.Add(paramsOf(curveTypeNamed, curveSM2, offCurve()), true)
	f.Add(paramsOf(curveTypeNamed, curveSM2, []byte{0}), true)
	_, pair, _ := transcriptPKI(f)
	key := pair.EncPrivateKey.(*sm2.PrivateKey)
	f.Fuzz(func(t *testing.T, b []byte, byClient bool) {
		var point []byte
		var err error
		if byClient {
			point, err = parseClientParams(b)
		} else {
			_, point, _, err = parseServerParams(b)
		}
		if err != nil {
			return
		}
		if len(point) != pointLen || point[0] != 4 {
			t.Fatalf("accepted the point %x", point)
		}
		agreement, err := softwareAgreer{key}.NewKeyAgreement((&Config{}).rand(), byClient)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := agreement.Agree(&key.PublicKey, point, preMasterLen)
		if err == nil && (len(secret) != preMasterLen || !key.Curve.IsOnCurve(new(big.Int).SetBytes(point[1:33]), new(big.Int).SetBytes(point[33:]))) {
			t.Fatalf("agreed on %d bytes with the point %x", len(secret), point)
		}
	})
}
