// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// ErrOtherSignerID says that an SM2 signature was made by the right key with an empty signer id, as openssl does without
// an option, and not with the default id of GM/T 0009, section 10, which certificates and lists need.
var ErrOtherSignerID = errors.New("x509: SM2 signature made with an empty signer id by the right key; the id must be 1234567812345678: " +
	"sign again with openssl's option -sigopt distid:1234567812345678 (and -vfyopt distid:1234567812345678 to verify a request)")

var errWrongSignature = errors.New("x509: SM2 signature is wrong: what is signed has changed since, or another key made it, " +
	"or another signer id than 1234567812345678 was used (openssl: -sigopt distid:1234567812345678)")

// signedWithEmptyID reports whether sig is an SM2 signature by pub over msg with the empty signer id. It explains a
// signature that has been refused; it makes none valid.
func signedWithEmptyID(pub *ecdsa.PublicKey, msg, sig []byte) bool {
	if !IsSM2(pub) {
		return false
	}
	point, err := SM2Point(pub)
	if err != nil {
		return false
	}
	h := sm3.New()
	h.Write(emptyIDPrefix)
	h.Write(point[1:])
	z := h.Sum(nil)
	h.Reset()
	h.Write(z)
	h.Write(msg)
	return sm2.VerifyASN1(pub, h.Sum(nil), sig)
}

// ExplainSM2Signature finds out what sig signs, if it was refused as an SM2 signature by pub over msg. It knows the mistakes of
// SDKs: an empty signer id, and a digest in place of the message, signed as a message or without Z (GB/T 32918.2, section 6.1).
// It returns "" for anything else. It costs up to five verifications, and does not make the signature valid.
func ExplainSM2Signature(pub *ecdsa.PublicKey, msg, sig []byte) string {
	if !IsSM2(pub) || CheckSM2SignatureDER(sig) != nil {
		return ""
	}
	if signedWithEmptyID(pub, msg, sig) {
		return "it was made with an empty signer id, where 1234567812345678 is needed"
	}
	sm3Digest, sha256Digest := sm3.Sum(msg), sha256.Sum256(msg)
	for name, digest := range map[string][]byte{"SM3": sm3Digest[:], "SHA-256": sha256Digest[:]} {
		if sm2.VerifyASN1WithSM2(pub, nil, digest, sig) {
			return "it was made over the " + name + " digest of the message, as if that were the message: give the message itself to the signer"
		}
		if sm2.VerifyASN1(pub, digest, sig) {
			return "it was made over the " + name + " digest of the message without Z: e is SM3(Z || message), so give the message itself to the signer"
		}
	}
	return ""
}

// emptyIDPrefix is what stands before the point in Z of GB/T 32918.2, section 5.5, where the id is empty: its length in
// 16 bits, a, b and the base point.
var emptyIDPrefix = func() []byte {
	params := sm2.P256().Params()
	prefix := make([]byte, 2+4*32)
	minus3 := bytes.Clone(params.P.Bytes())
	minus3[31] -= 3
	for i, number := range [][]byte{minus3, params.B.Bytes(), params.Gx.Bytes(), params.Gy.Bytes()} {
		end := 2 + 32*(i+1)
		copy(prefix[end-len(number):end], number)
	}
	return prefix
}()

// maxExplained bounds the signatures that Explain checks.
const maxExplained = 4

// Explain finds out why certificates lead to no authority. It knows two reasons: an authority has the right name and key, but
// signed the certificate with an empty SM2 id (ErrOtherSignerID); or it has the right name and key id, and the signature is wrong, as with
// any other id. It returns nil for any other reason.
func Explain(certs, authorities []*Certificate) (reason error) {
	checked := 0
	for _, cert := range certs {
		for _, ca := range authorities {
			if !mayHaveIssued(ca, cert) {
				continue
			}
			if checked++; checked > maxExplained {
				return reason
			}
			err := CheckSignatureFrom(cert, ca)
			found := fmt.Errorf("certificate of %q, issuer %q: name and key id of the issuer fit: %w", cert.Subject, ca.Subject, err)
			switch {
			case errors.Is(err, ErrOtherSignerID):
				return found
			case errors.Is(err, errWrongSignature) && len(cert.AuthorityKeyId) > 0 && bytes.Equal(cert.AuthorityKeyId, ca.SubjectKeyId):
				reason = found
			}
		}
	}
	return reason
}

// mayHaveIssued reports whether names and key ids say that ca issued cert with SM2.
func mayHaveIssued(ca, cert *Certificate) bool {
	return IsSM2(ca.PublicKey) && cert.SignatureAlgorithm == SM2WithSM3 && bytes.Equal(ca.RawSubject, cert.RawIssuer) &&
		(len(cert.AuthorityKeyId) == 0 || len(ca.SubjectKeyId) == 0 || bytes.Equal(cert.AuthorityKeyId, ca.SubjectKeyId))
}
