// SPDX-License-Identifier: Apache-2.0

package gmgateway

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// deviceSigner signs with a key in a device, as newSigner does with one in memory.
func deviceSigner(key *keyd.Key) *Signer {
	if gmx509.IsSM2(key.Public()) {
		return &Signer{Hash: hash.NONE, Sign: func(message []byte) ([]byte, error) {
			return key.Sign(nil, message, sm2.DefaultSM2SignerOpts)
		}}
	}
	return &Signer{Hash: hash.SHA256, Sign: func(digest []byte) ([]byte, error) {
		signature, err := key.Sign(nil, digest, crypto.SHA256)
		if err != nil {
			return nil, err
		}
		return lowS(key.Public().(*ecdsa.PublicKey), signature)
	}}
}

// lowS gives an ECDSA signature the one of its two forms that Fabric accepts: s of at most half the order.
func lowS(public *ecdsa.PublicKey, signature []byte) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &sig); err != nil {
		return nil, fmt.Errorf("gmgateway: signature: %w", err)
	}
	if order := public.Params().N; sig.S.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		sig.S.Sub(order, sig.S)
	}
	return asn1.Marshal(sig)
}
