// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"errors"

	"github.com/emmansun/gmsm/smx509"
)

const (
	signUsage = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	encUsage  = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement
)

// checkPairUsage checks that each certificate of a pair has a KeyUsage for its
// slot.
func checkPairUsage(sign, enc *smx509.Certificate) error {
	if sign.KeyUsage&signUsage == 0 {
		return errors.New("the signing certificate (the first of the pair) has no KeyUsage digitalSignature or contentCommitment")
	}
	if enc.KeyUsage&encUsage == 0 {
		return errors.New("the encryption certificate (the second of the pair) has no KeyUsage keyEncipherment, dataEncipherment or keyAgreement")
	}
	return nil
}
