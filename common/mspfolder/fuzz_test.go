// SPDX-License-Identifier: Apache-2.0

package mspfolder

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// FuzzRevocationList: whatever a list looks like, its judges return, and the issuer that is found has signed it.
func FuzzRevocationList(f *testing.F) {
	var cas []*x509.Certificate
	for _, family := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
		ca := gmtlstest.NewFamilyCA(f, family, "ca")
		cas = append(cas, ca.Cert)
		for _, extensions := range [][]pkix.Extension{nil, {{Id: oidDistributionPoint, Critical: true, Value: []byte{0x30, 3, 0x81, 1, 0xff}}}, {{Id: oidDeltaIndicator, Critical: true, Value: []byte{2, 1, 1}}}} {
			block, _ := pem.Decode(ca.RevocationList(f, x509.RevocationList{ExtraExtensions: extensions}, ca.Cert.SerialNumber))
			f.Add(block.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		lists, err := material.ParseLists("list", der)
		if err != nil {
			return
		}
		for _, list := range lists {
			_ = CheckList(list.CertificateList, cas)
			if scope, err := Scope(list.CertificateList); err == nil && scope != "" {
				var point asn1.RawValue
				if rest, err := asn1.Unmarshal([]byte(scope), &point); err != nil || len(rest) > 0 {
					t.Errorf("the scope %x is not an element", scope)
				}
			}
			if issuer, err := Issuer(list.CertificateList, cas); err == nil && x509.CheckCRLSignature(issuer, list.CertificateList) != nil {
				t.Error("an issuer that has not signed")
			}
		}
	})
}
