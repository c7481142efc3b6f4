// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Callers ask for "an ECDSA key" where they mean the key of an identity. The key itself says what it is. Certificates
// come here too: upstream's importer for them passes their key on as a Go public key.

// KeyImport imports a DER public key.
//
//fork:wrap gm: an SM2 key becomes an SM2 key, whatever the options are called
func (ki *ecdsaPKIXPublicKeyImportOptsKeyImporter) KeyImport(raw interface{}, opts bccsp.KeyImportOpts) (bccsp.Key, error) {
	if der, ok := raw.([]byte); ok && gmx509.NamesGM(der) {
		return gm.ImportPublicKey(der)
	}
	return ki.upstreamKeyImport(raw, opts)
}

// KeyImport imports a DER private key.
//
//fork:wrap gm: an SM2 key becomes an SM2 key, whatever the options are called
func (ki *ecdsaPrivateKeyImportOptsKeyImporter) KeyImport(raw interface{}, opts bccsp.KeyImportOpts) (bccsp.Key, error) {
	if der, ok := raw.([]byte); ok && gmx509.NamesGM(der) {
		return gm.ImportPrivateKey(der)
	}
	return ki.upstreamKeyImport(raw, opts)
}

// KeyImport imports a Go public key.
//
//fork:wrap gm: an SM2 key becomes an SM2 key, whatever the options are called
func (ki *ecdsaGoPublicKeyImportOptsKeyImporter) KeyImport(raw interface{}, opts bccsp.KeyImportOpts) (bccsp.Key, error) {
	if gmx509.IsSM2(raw) {
		return gm.ImportPublicKey(raw)
	}
	return ki.upstreamKeyImport(raw, opts)
}
