// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"errors"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	errSM2SignatureDER   = errors.New("x509: SM2 signature is not the canonical DER of SEQUENCE { r INTEGER, s INTEGER }")
	errSM2SignatureRange = errors.New("x509: SM2 signature has r or s outside [1, n-1]")
)

// sm2Order is n, the order of the SM2 base point (GB/T 32918.5), 32 bytes big-endian.
var sm2Order = sm2.P256().Params().N.FillBytes(make([]byte, 32))

// CheckSM2SignatureDER refuses an SM2 signature (GM/T 0009, section 7.3) in any form but the single canonical one: DER
// with nothing left over, minimal lengths, minimal positive integers, both in [1, n-1]. Several encodings of one signature
// would let a third party change the bytes of a signed transaction.
func CheckSM2SignatureDER(sig []byte) error {
	var inner cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(sig)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() {
		return errSM2SignatureDER
	}
	if !inOrderRange(r) || !inOrderRange(s) {
		return errSM2SignatureRange
	}
	return nil
}

// inOrderRange reports whether 0 < v < n for a big-endian number without leading zeros. Signatures are public, so the time
// it takes tells nothing.
func inOrderRange(v []byte) bool {
	if len(v) == 0 || len(v) > len(sm2Order) || v[0] == 0 {
		return false
	}
	return len(v) < len(sm2Order) || bytes.Compare(v, sm2Order) < 0
}
