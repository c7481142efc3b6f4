// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/pem"
	"sync/atomic"
	"time"

	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/audit"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/pkg/errors"
)

// Verify checks sig, an ASN.1 DER signature by this identity over msg.
//
// An SM2 key verifies e = SM3(Z || msg) with the default id (GB/T 32918.2, 7)
// whatever hash family the MSP names; any other key follows that family.
//
//fork:wrap gm: the algorithm of a signature follows the key, not the MSP's hash family
func (id *identity) Verify(msg []byte, sig []byte) error {
	err := id.verify(msg, sig)
	if err != nil {
		audit.Bounded(audit.SignatureRefused, "msp", id.id.Mspid, "subject", id.cert.Subject.String, "issuer", id.cert.Issuer.String,
			"serial", id.cert.SerialNumber.Text(16))
	}
	return err
}

func (id *identity) verify(msg []byte, sig []byte) error {
	if !x509.IsSM2(id.cert.PublicKey) {
		return id.upstreamVerify(msg, sig)
	}
	valid, err := id.msp.bccsp.Verify(id.pk, sig, msg, &bccsp.SM2SignerOpts{})
	if err != nil {
		return errors.WithMessage(err, "could not determine the validity of the SM2 signature")
	}
	if !valid {
		reason := id.explainSignature(msg, sig)
		mspIdentityLogger.Warnf("The SM2 signature is invalid for (certificate subject=%s issuer=%s serialnumber=%d)%s",
			id.cert.Subject, id.cert.Issuer, id.cert.SerialNumber, reason)
		return errors.New("The signature is invalid" + reason)
	}
	return nil
}

// validateIdentity refuses what the MSP does not vouch for, and records that.
//
//fork:wrap gm: refused identities are security events
func (msp *bccspmsp) validateIdentity(id *identity) error {
	err := msp.upstreamValidateIdentity(id)
	if err != nil {
		msp.recordRefused(id.cert, err)
	}
	return err
}

// deserializeIdentityInternal records, too, what does not become an identity: that an ECDSA certificate is of a foreign CA shows here.
//
//fork:wrap gm: refused identities are security events
func (msp *bccspmsp) deserializeIdentityInternal(serialized []byte) (Identity, error) {
	id, err := msp.upstreamDeserializeIdentityInternal(serialized)
	if err != nil {
		cert := new(x509.Certificate)
		if block, _ := pem.Decode(serialized); block != nil {
			if parsed, err := x509.ParseCertificate(block.Bytes); err == nil {
				cert = parsed
			}
		}
		msp.recordRefused(cert, err)
	}
	return id, err
}

func (msp *bccspmsp) recordRefused(cert *x509.Certificate, err error) {
	serial := ""
	if cert.SerialNumber != nil {
		serial = cert.SerialNumber.Text(16)
	}
	audit.Bounded(audit.IdentityRefused, "msp", msp.name, "subject", cert.Subject.String, "issuer", cert.Issuer.String, "serial", serial, "reason", err.Error())
}

// explained is the second, of Unix time, in which a signature was last explained.
var explained atomic.Int64

// explainSignature says what an SM2 signature that was refused is one of, if that is what SDKs get wrong. It costs as much as
// five signatures, and anybody can send wrong ones: a process does it once a second.
func (id *identity) explainSignature(msg, sig []byte) string {
	now, last := time.Now().Unix(), explained.Load()
	if now == last || !explained.CompareAndSwap(last, now) {
		return ""
	}
	pub, _ := id.cert.PublicKey.(*ecdsa.PublicKey)
	if reason := x509.ExplainSM2Signature(pub, msg, sig); reason != "" {
		return ": " + reason
	}
	return ""
}

// Sign returns the ASN.1 DER signature of this identity over msg, SM2 with SM3
// if its key is an SM2 key.
//
//fork:wrap gm: the algorithm of a signature follows the key, not the MSP's hash family
func (id *signingidentity) Sign(msg []byte) ([]byte, error) {
	if !x509.IsSM2(id.cert.PublicKey) {
		return id.upstreamSign(msg)
	}
	return id.signer.Sign(rand.Reader, msg, &bccsp.SM2SignerOpts{})
}

// getSigningIdentityFromConf builds the identity that this node signs with.
//
//fork:wrap gm: a private key that does not belong to its certificate, and a form that other nodes refuse, are refused at start
func (msp *bccspmsp) getSigningIdentityFromConf(sidInfo *m.SigningIdentityInfo) (SigningIdentity, error) {
	provider := &keyAnswers{BCCSP: msp.bccsp}
	msp.bccsp = provider
	sid, err := msp.upstreamGetSigningIdentityFromConf(sidInfo)
	msp.bccsp = provider.BCCSP
	if err != nil {
		return nil, explainMissingKey(sidInfo, err, provider.err)
	}
	signer := sid.(*signingidentity)
	if !x509.IsSM2(signer.cert.PublicKey) {
		if gm.Strict() {
			return nil, errors.Errorf("signing identity of MSP %s (subject %s) has no SM2 key, and %s demands one: enrol it with SM2",
				msp.name, signer.cert.Subject, gm.StrictKey)
		}
		return sid, nil
	}
	if err := x509.CheckKeyPair(signer.cert, signer.signer); err != nil {
		return nil, errors.Wrapf(err, "signing identity of MSP %s (subject %s)", msp.name, signer.cert.Subject)
	}
	if err := x509.CheckExactDER(signer.cert); err != nil {
		return nil, errors.Wrapf(err, "signing identity of MSP %s (subject %s): other nodes would refuse it; have the CA issue the certificate in DER",
			msp.name, signer.cert.Subject)
	}
	return sid, nil
}

// keyAnswers is a provider that keeps what it answered when it was last asked for a key. Asking again can take as long as a device may
// take to answer.
type keyAnswers struct {
	bccsp.BCCSP
	err error
}

// GetKey returns the key with this SKI.
func (k *keyAnswers) GetKey(ski []byte) (bccsp.Key, error) {
	key, err := k.BCCSP.GetKey(ski)
	k.err = err
	return key, err
}

// explainMissingKey adds to err why the provider has no key for the certificate of sidInfo, if that is so and the key is an SM2 key or
// should be in a device; upstream says it at log level debug.
func explainMissingKey(sidInfo *m.SigningIdentityInfo, err, keyErr error) error {
	if sidInfo == nil || sidInfo.PrivateSigner.GetKeyMaterial() != nil {
		return err
	}
	cert, certErr := x509.ParseCertificatePEM(sidInfo.PublicSigner)
	if certErr != nil {
		return err
	}
	var device *keyd.Error
	if errors.As(keyErr, &device) || keyErr != nil && x509.IsSM2(cert.PublicKey) {
		return errors.Wrapf(keyErr, "%s; no private key for the certificate of %s", err, cert.Subject)
	}
	return err
}

// checkWellFormed refuses the certificate of identity in any other form than nodes write; the label of the PEM may be missing, as
// upstream has it. Gossip asks for it, and nothing that decides on a transaction: a peer shows what it writes itself.
func checkWellFormed(cert *x509.Certificate, identity *m.SerializedIdentity) error {
	err := x509.CheckExactDER(cert)
	if err == nil && !bytes.Equal(identity.IdBytes, pem.EncodeToMemory(&pem.Block{Bytes: cert.Raw})) {
		_, err = x509.ParseExactPEM(identity.IdBytes)
	}
	return errors.WithMessagef(err, "identity %s for MSP %s is not well formed", identity.IdBytes, identity.Mspid)
}
