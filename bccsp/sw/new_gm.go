// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"crypto/elliptic"
	"fmt"
	"reflect"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// NewWithParams returns the software provider, which serves SM2, SM3 and SM4 in addition to upstream's algorithms, whatever the
// parameters. Every holder of a provider can therefore verify every member of a channel, those included that got theirs
// before the configuration was read. It fails if the self-test of the national algorithms does.
//
//fork:wrap gm: make every software provider serve SM2, SM3 and SM4 by key type, and count verifications
func NewWithParams(securityLevel int, hashFamily string, keyStore bccsp.KeyStore) (bccsp.BCCSP, error) {
	if err := gm.SelfTest(); err != nil {
		return nil, err
	}
	provider, err := upstreamNewWithParams(securityLevel, hashFamily, keyStore)
	if err != nil {
		return nil, err
	}
	csp, ok := provider.(*CSP)
	if !ok {
		return nil, fmt.Errorf("software provider is %T, want *sw.CSP", provider)
	}
	if err := gm.Register(csp.AddWrapper); err != nil {
		return nil, err
	}
	if err := registerDeviceKeys(csp); err != nil {
		return nil, err
	}
	for key, verifier := range csp.Verifiers {
		csp.Verifiers[key] = counting(verifier)
	}
	return csp, nil
}

// setSecurityLevel accepts the hash family SM3, at level 256 only: SM3 comes in no other size.
//
//fork:wrap gm: accept the hash family SM3
func (conf *config) setSecurityLevel(securityLevel int, hashFamily string) error {
	if hashFamily != bccsp.SM3 {
		return conf.upstreamSetSecurityLevel(securityLevel, hashFamily)
	}
	if securityLevel != 256 {
		return fmt.Errorf("Security level not supported [%d] with %s: use 256", securityLevel, bccsp.SM3)
	}
	conf.ellipticCurve = elliptic.P256()
	conf.hashFunction = sm3.New
	conf.aesBitLength = 32
	return nil
}

// Sign signs digest, or for an SM2 key the message that stands in its place, which may be empty.
//
//fork:wrap gm: upstream refuses an empty digest, but an empty message can be signed
func (csp *CSP) Sign(k bccsp.Key, digest []byte, opts bccsp.SignerOpts) ([]byte, error) {
	if !gm.IsKey(k) {
		return csp.upstreamSign(k, digest, opts)
	}
	signer, ok := csp.Signers[reflect.TypeOf(k)]
	if !ok {
		return nil, fmt.Errorf("Unsupported 'SignKey' provided [%T]", k)
	}
	return signer.Sign(k, digest, opts)
}

// Verify checks a signature over digest, or for an SM2 key over the message that stands in its place.
//
//fork:wrap gm: upstream refuses an empty digest, but an empty message can be signed
func (csp *CSP) Verify(k bccsp.Key, signature, digest []byte, opts bccsp.SignerOpts) (bool, error) {
	if !gm.IsKey(k) {
		return csp.upstreamVerify(k, signature, digest, opts)
	}
	verifier, ok := csp.Verifiers[reflect.TypeOf(k)]
	if !ok {
		return false, fmt.Errorf("Unsupported 'VerifyKey' provided [%T]", k)
	}
	return verifier.Verify(k, signature, digest, opts)
}
