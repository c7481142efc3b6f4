// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// handshake13 is what client and server have in common while they negotiate TLS
// 1.3.
type handshake13 struct {
	*handshake
	schedule keySchedule13

	clientSecret, serverSecret []byte // of the handshake's traffic
}

// signatureID is the identity of the signer in CertificateVerify (RFC 8998,
// section 3.2.1). Certificates are signed under the default one.
var signatureID = []byte("TLSv1.3+GM+Cipher+Suite")

const (
	contextServerVerify = "TLS 1.3, server CertificateVerify"
	contextClientVerify = "TLS 1.3, client CertificateVerify"
)

// verifyContent is what the signature in CertificateVerify covers (RFC 8446,
// section 4.4.3).
func verifyContent(context string, transcript []byte) []byte {
	content := make([]byte, 64, 64+len(context)+1+len(transcript))
	for i := range content {
		content[i] = ' '
	}
	content = append(append(content, context...), 0)
	return append(content, transcript...)
}

// checkOwn13 refuses a pair of this end whose signing certificate TLS 1.3 does not let sign. Peers of this package refuse it as well.
func (c *Certificate) checkOwn13() error {
	if len(c.Certificate) == 0 || c.PrivateKey == nil {
		return internal(errors.New("the Certificate of this end lacks the signing certificate or its key"))
	}
	leaf := c.leaf()
	if leaf == nil {
		return internal(errors.New("the signing certificate of this end cannot be parsed"))
	}
	if err := gmx509.CheckTLS13Usage(leaf); err != nil {
		return internal(fmt.Errorf("the certificate %q (serial number %x) of this end cannot be presented: %w", leaf.Subject, leaf.SerialNumber, err))
	}
	return nil
}

// signVerify signs the content of a CertificateVerify. The key gets the digest
// with the identity of TLS 1.3 in it, for keys in devices know the default one.
func (h *handshake13) signVerify(key crypto.PrivateKey, context string) ([]byte, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the signing key is a %T, which is not a crypto.Signer", key)
	}
	pub, err := sm2PublicKey(signer)
	if err != nil {
		return nil, err
	}
	digest, err := sm2.CalculateSM2Hash(pub, verifyContent(context, h.transcriptHash()), signatureID)
	if err != nil {
		return nil, fmt.Errorf("hashing what is to be signed: %w", err)
	}
	sig, err := signer.Sign(h.c.config.rand(), digest, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return sig, nil
}

// sendVerify sends CertificateVerify.
func (h *handshake13) sendVerify(key crypto.PrivateKey, context string) error {
	sig, err := h.signVerify(key, context)
	if err != nil {
		return internal(err)
	}
	return h.send(appendCertificateVerify13(h.msg[:0], sig))
}

// readVerify reads the peer's CertificateVerify.
func (h *handshake13) readVerify(context string) error {
	msg, err := h.read(msgCertificateVerify)
	if err != nil {
		return err
	}
	scheme, sig, ok := parseCertificateVerify13(msg[handshakeHdrLen:])
	switch {
	case !ok:
		return decodeError(msgCertificateVerify)
	case scheme != schemeSM2SM3:
		return failf(AlertIllegalParameter, "the peer signed with the algorithm 0x%s, not sm2sig_sm3", upperHex(scheme))
	case !sm2.VerifyASN1WithSM2(h.c.peer.sign, signatureID, verifyContent(context, h.transcriptHash()), sig):
		return failf(AlertDecryptError, "the peer's signature in CertificateVerify is wrong")
	}
	h.add(msg)
	return nil
}

// sendFinished13 sends Finished under the secret of this end.
func (h *handshake13) sendFinished13(secret []byte) error {
	mac := finishedMAC(secret, h.transcriptHash())
	return h.send(endMessage(append(beginMessage(h.msg[:0], msgFinished), mac...), 0))
}

// checkFinished13 checks the peer's Finished, under its secret.
func (h *handshake13) checkFinished13(msg, secret []byte) error {
	body := msg[handshakeHdrLen:]
	if len(body) != secretLen {
		return failf(AlertDecodeError, "Finished has %d bytes, want %d", len(body), secretLen)
	}
	if subtle.ConstantTimeCompare(finishedMAC(secret, h.transcriptHash()), body) != 1 {
		return failf(AlertDecryptError, "the peer's Finished does not match the handshake")
	}
	h.add(msg)
	h.c.in.dummies = false
	return nil
}

// deriveHandshake takes the shared secret, which is wiped, and derives the
// secrets of the handshake's traffic. The transcript ends with ServerHello.
func (h *handshake13) deriveHandshake(shared []byte) error {
	h.schedule.advance(shared)
	transcript := h.transcriptHash()
	h.clientSecret = h.schedule.derive(labelClientHandshake, transcript)
	h.serverSecret = h.schedule.derive(labelServerHandshake, transcript)
	if err := h.logSecret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", h.clientSecret); err != nil {
		return err
	}
	return h.logSecret("SERVER_HANDSHAKE_TRAFFIC_SECRET", h.serverSecret)
}

// deriveTraffic derives the secrets of application data. The transcript ends
// with the server's Finished.
func (h *handshake13) deriveTraffic() (client, server []byte, err error) {
	h.schedule.advance(nil)
	transcript := h.transcriptHash()
	client = h.schedule.derive(labelClientTraffic, transcript)
	server = h.schedule.derive(labelServerTraffic, transcript)
	h.c.exporter = h.schedule.derive(labelExporterMaster, transcript)
	for _, s := range []struct {
		label  string
		secret []byte
	}{{"CLIENT_TRAFFIC_SECRET_0", client}, {"SERVER_TRAFFIC_SECRET_0", server}, {"EXPORTER_SECRET", h.c.exporter}} {
		if err := h.logSecret(s.label, s.secret); err != nil {
			return nil, nil, err
		}
	}
	return client, server, nil
}

func (h *handshake13) logSecret(label string, secret []byte) error {
	w := h.c.config.KeyLogWriter
	if w == nil {
		return nil
	}
	return writeKeyLog(w, label, h.clientRandom[:], secret)
}

// replaceFirstHello puts the hash of the first ClientHello into its place in the
// transcript, as a HelloRetryRequest wants it (RFC 8446, section 4.4.1).
func (h *handshake13) replaceFirstHello() {
	sum := slices.Clone(h.transcriptHash())
	h.transcript.Reset()
	h.add(append([]byte{msgMessageHash, 0, 0, sm3.Size}, sum...))
}

// binder returns the binder of a PSK for a ClientHello without its binders,
// behind the transcript so far (RFC 8446, section 4.2.11.2).
func (h *handshake13) binder(psk, truncatedHello []byte) []byte {
	var early keySchedule13
	early.start(psk)
	defer early.wipe()
	secret := early.derive(labelBinder, emptyHash[:])
	defer clear(secret)
	var state sm3State
	state.save(h.transcript)
	transcript := newSM3()
	state.restore(transcript)
	transcript.Write(truncatedHello)
	return finishedMAC(secret, transcript.Sum(nil))
}

// sendDummy sends a ChangeCipherSpec that means nothing (RFC 8446, appendix D.4).
func (h *handshake13) sendDummy() error {
	h.c.out.Lock()
	defer h.c.out.Unlock()
	return h.c.appendRecordsLocked(recordChangeCipherSpec, []byte{1})
}

// setWriteKey and setReadKey change to the key of a traffic secret.
func (h *handshake13) setWriteKey(secret []byte) error {
	h.c.out.Lock()
	defer h.c.out.Unlock()
	return h.c.setWriteKeyLocked(secret)
}

func (h *handshake13) setReadKey(secret []byte) error { return h.c.setReadKeyLocked(secret) }

// wipe13 forgets the secrets of the handshake.
func (h *handshake13) wipe13() {
	h.schedule.wipe()
	h.wipe()
}
