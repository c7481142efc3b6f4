// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"crypto/cipher"
	"crypto/hkdf"
	"encoding/binary"

	gmcipher "github.com/emmansun/gmsm/cipher"
	"github.com/emmansun/gmsm/sm3"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

const nonceLen13 = 12

// opener13 opens the records of one direction of TLS 1.3 with a GM suite (RFC
// 8998; RFC 8446, section 5), in their order.
type opener13 struct {
	suite  uint16
	secret []byte
	seq    uint64
	aead   cipher.AEAD
	iv     []byte
}

// newOpener13 returns what opens the records under a traffic secret; nil for a
// suite that is not one of GM.
func newOpener13(suite uint16, secret []byte) *opener13 {
	o := &opener13{suite: suite, secret: secret, iv: expand13(secret, "iv", nonceLen13)}
	switch key := expand13(secret, "key", sm4KeyLen); suite {
	case gmtls.TLS_SM4_GCM_SM3:
		o.aead = newGCM(key)
	case gmtls.TLS_SM4_CCM_SM3:
		var err error
		if o.aead, err = gmcipher.NewCCMWithNonceAndTagSize(newSM4(key), nonceLen13, gcmTagLen); err != nil {
			panic("wire: CCM refuses SM4: " + err.Error())
		}
	default:
		return nil
	}
	return o
}

// next returns what opens the records after a KeyUpdate (RFC 8446, 7.2).
func (o *opener13) next() *opener13 {
	return newOpener13(o.suite, expand13(o.secret, "traffic upd", sm3.Size))
}

// expand13 is HKDF-Expand-Label with SM3 and no context (RFC 8446, 7.1).
func expand13(secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(append(info, byte(len(label))), label...), 0)
	out, err := hkdf.Expand(sm3.New, secret, string(info), n)
	if err != nil {
		panic("wire: HKDF refuses a short output: " + err.Error())
	}
	return out
}

// open returns the content of the next record and its type, without padding.
func (o *opener13) open(body []byte) (typ uint8, content []byte, ok bool) {
	nonce := make([]byte, nonceLen13)
	binary.BigEndian.PutUint64(nonce[nonceLen13-8:], o.seq)
	for i := range nonce {
		nonce[i] ^= o.iv[i]
	}
	o.seq++
	header := binary.BigEndian.AppendUint16([]byte{RecordApplicationData, 3, 3}, uint16(len(body)))
	content, err := o.aead.Open(nil, nonce, body, header)
	if err != nil {
		return 0, nil, false
	}
	for len(content) > 0 && content[len(content)-1] == 0 {
		content = content[:len(content)-1]
	}
	if len(content) == 0 {
		return 0, nil, false
	}
	last := len(content) - 1
	return content[last], content[:last], true
}

// Opens reports whether records of the connection are of a protocol that a key log opens.
func (p *Parser) Opens() bool {
	if p.Version == gmtls.VersionTLCP {
		return true
	}
	return p.Version == gmtls.VersionTLS13 && len(p.Server.Suites) > 0 &&
		(p.Server.Suites[0] == gmtls.TLS_SM4_GCM_SM3 || p.Server.Suites[0] == gmtls.TLS_SM4_CCM_SM3)
}

// opened13 opens a record of TLS 1.3 and takes what is in it. If it is not opened, step is given the reason.
func (p *Parser) opened13(side int, body []byte, step *Step) bool {
	d := &p.directions[side]
	if p.Keys == nil || !p.Opens() || p.Client == nil {
		return false
	}
	if !d.derived {
		d.opener13, d.derived = p.opener13Of([2]string{clientHandshakeLabel, serverHandshakeLabel}[side]), true
	}
	if d.opener13 != nil {
		if typ, content, ok := d.opener13.open(body); ok {
			p.Decrypted++
			step.Encrypted = true
			p.content(side, typ, content, *step)
			return true
		}
		d.opener13 = nil
		step.Note = "does not decrypt with the secret in the key log"
	}
	p.Sealed[side] = true
	return false
}

// opener13Of returns what opens records under the secret with a label; nil without it.
func (p *Parser) opener13Of(label string) *opener13 {
	secret := p.Keys.secret(label, p.Client.Random)
	if secret == nil {
		return nil
	}
	return newOpener13(p.Server.Suites[0], secret)
}

// rekey changes the key of a side after a message of TLS 1.3 behind which it does.
func (p *Parser) rekey(side int, message uint8) {
	d := &p.directions[side]
	switch message {
	case MsgFinished:
		d.opener13 = p.opener13Of([2]string{clientTrafficLabel, serverTrafficLabel}[side])
	case MsgKeyUpdate:
		d.opener13 = d.opener13.next()
	}
}
