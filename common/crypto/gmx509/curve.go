// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
)

var oidPrimeField = asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}

// ecParameters is SpecifiedECDomain of SEC 1, C.2, for a prime field, which RFC 3279 calls ECParameters.
type ecParameters struct {
	Version int
	Field   struct {
		Type  asn1.ObjectIdentifier
		Prime *big.Int
	}
	Curve struct {
		A, B []byte
		Seed asn1.BitString `asn1:"optional"`
	}
	Base     []byte
	Order    *big.Int
	Cofactor *big.Int `asn1:"optional"`
}

// checkSM2Curve accepts the parameters of a private key that mean the SM2 curve: its name, or all its numbers
// (GB/T 32918.5), as openssl writes them with param_enc explicit.
func checkSM2Curve(params asn1.RawValue) error {
	if params.Tag == asn1.TagSequence && params.Class == asn1.ClassUniversal {
		return checkSM2Numbers(params.FullBytes)
	}
	var curve asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params.FullBytes, &curve); err != nil || len(rest) != 0 {
		return errSM2KeyDER
	}
	if !curve.Equal(oidSM2Curve) {
		return fmt.Errorf("x509: private key on curve %v where SM2 was named", curve)
	}
	return nil
}

func checkSM2Numbers(der []byte) error {
	var p ecParameters
	if rest, err := asn1.Unmarshal(der, &p); err != nil || len(rest) != 0 {
		return errForeignCurve
	}
	curve := sm2.P256()
	want := curve.Params()
	a := new(big.Int).Sub(want.P, big.NewInt(3))
	same := p.Field.Type.Equal(oidPrimeField) && p.Field.Prime.Cmp(want.P) == 0 &&
		bytes.Equal(p.Curve.A, a.FillBytes(make([]byte, 32))) && bytes.Equal(p.Curve.B, want.B.FillBytes(make([]byte, 32))) &&
		(bytes.Equal(p.Base, elliptic.Marshal(curve, want.Gx, want.Gy)) || // the encoding alone is wanted
			bytes.Equal(p.Base, elliptic.MarshalCompressed(curve, want.Gx, want.Gy))) &&
		p.Order.Cmp(want.N) == 0 && (p.Cofactor == nil || p.Cofactor.Cmp(big.NewInt(1)) == 0)
	if !same {
		return errForeignCurve
	}
	return nil
}
