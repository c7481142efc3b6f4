// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// stdPair is tls.X509KeyPair, and takes the reference to an ECDSA key in a
// device as the key.
func stdPair(certPEM, keyPEM []byte) (tls.Certificate, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil || block.Type != keyd.ReferenceType {
		return tls.X509KeyPair(certPEM, keyPEM)
	}
	reference, err := keyd.Decode(block)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := keyd.NewKey(reference)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair := tls.Certificate{PrivateKey: key}
	for block, rest := pem.Decode(certPEM); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			pair.Certificate = append(pair.Certificate, block.Bytes)
		}
	}
	leaf, err := gmx509.ParseCertificatePEM(certPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := gmx509.CheckKeyPair(leaf, key); err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate of %s and %s: %w", leaf.Subject, key, err)
	}
	pair.Leaf = leaf
	return pair, nil
}

// checkDevices asks devices whether they have the keys that are said to be
// there.
func checkDevices(keys ...crypto.PrivateKey) error {
	ctx, cancel := context.WithTimeout(context.Background(), keyd.DefaultTimeout)
	defer cancel()
	for _, key := range keys {
		if key, ok := key.(*keyd.Key); ok {
			if err := key.Check(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// deviceKeys returns the keys in devices that the pairs have.
func (m Material) deviceKeys() (keys []*keyd.Key) {
	var all []crypto.PrivateKey
	if m.Std != nil {
		all = append(all, m.Std.PrivateKey)
	}
	if m.GM != nil {
		all = append(all, m.GM.PrivateKey, m.GM.EncPrivateKey)
	}
	for _, key := range all {
		if key, ok := key.(*keyd.Key); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// retireKeys has the health check forget keys in devices that next has no
// more: an operator may remove them while old connections are open.
func retireKeys(old, next Material) {
	for _, key := range old.deviceKeys() {
		if !slices.Contains(next.deviceKeys(), key) {
			key.Retire()
		}
	}
}

// checkAgreement refuses a list of suites that has none for the encryption key
// of a pair, and says which suites a key in a device leaves out.
func checkAgreement(role string, pair *gmtls.Certificate, suites []uint16) error {
	if pair == nil || gmtls.CanAgree(pair.EncPrivateKey) {
		return nil
	}
	if onlyECDHE(suites) {
		return fmt.Errorf("comm: %s has only ECDHE suites, which need the encryption key in software, and it is in a device; add an ECC suite", roleName(role))
	}
	tlsLogger.Infof("%s: the encryption key of the TLCP pair is in a device (%v), so the ECDHE suites are not used: they need it in software",
		roleName(role), pair.EncPrivateKey)
	return nil
}
