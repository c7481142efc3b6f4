// SPDX-License-Identifier: Apache-2.0

// Package sm2table speeds up the verification of SM2 signatures (GB/T 32918.2, section 7) by public keys that are used often.
// It computes a table of multiples of the key once, which replaces the multiplication of an arbitrary point in each
// verification. A node of Fabric sees few keys, and each of them many times.
//
// The code does not run in constant time. Use it with public keys and public data only.
package sm2table

import (
	"crypto/ecdsa"
	"fmt"
	"sync"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	teeth = 8           // of the comb: as many bits of a scalar select one entry
	space = 256 / teeth // bits between two teeth
)

// Table holds the sums of the points 2^(32 i) P for every set of i in [0, 8): 16 KiB for a public key P. It is immutable.
type Table struct {
	entries [1<<teeth - 1]affine // of the set with the bits of index + 1
}

// New makes the table of a key, which takes as long as two or three verifications without it. It fails if the key is not a
// point of the SM2 curve.
func New(key *ecdsa.PublicKey) (*Table, error) {
	point, err := sm2.PublicKeyToECDH(key)
	if err != nil {
		return nil, fmt.Errorf("sm2table: %w", err)
	}
	b := point.Bytes()
	x, y := numberOfBytes(b[1:33]), numberOfBytes(b[33:])
	return newTable(affine{mul(x, toField), mul(y, toField)}), nil
}

func newTable(p affine) *Table {
	powers := make([]point, teeth)
	powers[0] = p.point()
	for i := 1; i < teeth; i++ {
		powers[i] = powers[i-1]
		for range space {
			powers[i].double()
		}
	}
	singles := toAffine(powers)
	sums := make([]point, 1<<teeth-1)
	for i := range sums {
		set := i + 1
		highest := teeth - 1
		for set>>highest == 0 {
			highest--
		}
		if rest := set &^ (1 << highest); rest != 0 {
			sums[i] = sums[rest-1]
		}
		sums[i].add(&singles[highest]) // to the point at infinity where there is no rest
	}
	t := &Table{}
	copy(t.entries[:], toAffine(sums))
	return t
}

// base is the table of the curve's generator.
var base = sync.OnceValue(func() *Table {
	params := sm2.P256().Params()
	return newTable(affine{mul(numberOf(params.Gx), toField), mul(numberOf(params.Gy), toField)})
})

// addColumn adds to p the entry of the bits that are at column of each tooth's part of scalar.
func (t *Table) addColumn(p *point, scalar *number, column int) {
	set := 0
	for i, limb := range [...]uint64{scalar.l0, scalar.l1, scalar.l2, scalar.l3} {
		set |= int(limb>>column&1)<<(2*i) | int(limb>>(column+space)&1)<<(2*i+1)
	}
	if set != 0 {
		p.add(&t.entries[set-1])
	}
}

// VerifyASN1 reports whether signature, the DER of SEQUENCE { r INTEGER, s INTEGER } (GM/T 0009, section 7.3), is one over digest by
// the key of the table. digest is SM3(Z || message), 32 bytes (GB/T 32918.2, section 7.1).
func (t *Table) VerifyASN1(digest, signature []byte) bool {
	var inner cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(signature)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() || len(r) > 32 || len(s) > 32 {
		return false
	}
	var rs [64]byte
	copy(rs[32-len(r):], r)
	copy(rs[64-len(s):], s)
	return t.verify(digest, rs[:32], rs[32:])
}

// verify takes 32 bytes of each.
func (t *Table) verify(digest, r, s []byte) bool {
	if len(digest) != 32 || len(r) != 32 || len(s) != 32 {
		return false
	}
	rn, sn := numberOfBytes(r), numberOfBytes(s)
	if rn.isZero() || sn.isZero() || !rn.less(order) || !sn.less(order) {
		return false
	}
	sum := addMod(rn, sn, order)
	if sum.isZero() {
		return false
	}
	var p point // s G + (r + s) P
	g := base()
	for column := space - 1; column >= 0; column-- {
		p.double()
		g.addColumn(&p, &sn, column)
		t.addColumn(&p, &sum, column)
	}
	if p.zz.isZero() {
		return false
	}
	// r must be e + x mod n, so x is r - e mod n, or n more as long as it is less than p.
	x := subMod(rn, numberOfBytes(digest).reduce(0, order), order)
	if p.hasX(mul(x, toField)) {
		return true
	}
	x, carry := x.plus(order)
	return carry == 0 && x.less(prime) && p.hasX(mul(x, toField))
}
