// SPDX-License-Identifier: Apache-2.0

package policytext

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

func packed(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return data
}

func by(i int32) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: i}}
}

func outOf(n int32, rules ...*common.SignaturePolicy) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: n, Rules: rules}}}
}

func TestSignaturePolicies(t *testing.T) {
	identity := packed(t, &msp.SerializedIdentity{Mspid: "BankMSP", IdBytes: []byte("certificate")})
	principals := []*msp.MSPPrincipal{
		{Principal: packed(t, &msp.MSPRole{MspIdentifier: "PortMSP", Role: msp.MSPRole_ADMIN})},
		{Principal: packed(t, &msp.MSPRole{MspIdentifier: `A", "B`, Role: 77})},
		{PrincipalClassification: msp.MSPPrincipal_ORGANIZATION_UNIT, Principal: packed(t, &msp.OrganizationUnit{MspIdentifier: "BankMSP", OrganizationalUnitIdentifier: "it\nops"})},
		{PrincipalClassification: msp.MSPPrincipal_ORGANIZATION_UNIT, Principal: packed(t, &msp.OrganizationUnit{MspIdentifier: "BankMSP", OrganizationalUnitIdentifier: "ops", CertifiersIdentifier: []byte{0xca}})},
		{PrincipalClassification: msp.MSPPrincipal_IDENTITY, Principal: identity},
		{PrincipalClassification: msp.MSPPrincipal_ANONYMITY, Principal: []byte("x")},
		{Principal: []byte{0xff}},
	}
	for want, rule := range map[string]*common.SignaturePolicy{
		`"PortMSP.admin"`:                                                                       by(0),
		`OR("PortMSP.admin", "A\", \"B.77")`:                                                    outOf(1, by(0), by(1)),
		`AND("PortMSP.admin", the unit "it\nops" of "BankMSP")`:                                 outOf(2, by(0), by(2)),
		`OutOf(2 of 3, "PortMSP.admin", nobody, nobody)`:                                        outOf(2, by(0), by(-1), by(7)),
		`OutOf(0 of 1, OR(the unit "ops" of "BankMSP" by the CA ca))`:                           outOf(0, outOf(1, by(3))),
		fmt.Sprintf(`the identity of "BankMSP" with sha256 %x`, sha256.Sum256(identity)):        by(4),
		fmt.Sprintf(`a principal of kind ANONYMITY with sha256 %x`, sha256.Sum256([]byte("x"))): by(5),
		"nobody":            nil,
		"cannot be decoded": by(6),
	} {
		text, err := Text(int32(common.Policy_SIGNATURE), packed(t, &common.SignaturePolicyEnvelope{Rule: rule, Identities: principals}))
		if err != nil {
			text = err.Error()
		}
		require.Equal(t, want, text)
	}
}

func TestOtherPolicies(t *testing.T) {
	meta := packed(t, &common.ImplicitMetaPolicy{Rule: common.ImplicitMetaPolicy_MAJORITY, SubPolicy: "Admins"})
	text, err := Text(int32(common.Policy_IMPLICIT_META), meta)
	require.NoError(t, err)
	require.Equal(t, `MAJORITY "Admins"`, text)
	for _, kind := range []common.Policy_PolicyType{common.Policy_IMPLICIT_META, common.Policy_SIGNATURE} {
		_, err = Text(int32(kind), []byte{0xff})
		require.ErrorIs(t, err, errUnreadable)
	}
	_, err = Text(int32(common.Policy_MSP), meta)
	require.ErrorContains(t, err, "is of a kind that is not known")
}

// TestBounds: a name that many rules mention is not told a million times, and deep rules take no stack.
func TestBounds(t *testing.T) {
	principals := []*msp.MSPPrincipal{{Principal: packed(t, &msp.MSPRole{MspIdentifier: strings.Repeat("Port", 1000)})}}
	deep, many := by(9), outOf(1)
	for range maxDepth + 1 {
		deep = outOf(1, deep)
	}
	for range 10000 {
		many.GetNOutOf().Rules = append(many.GetNOutOf().Rules, by(0))
	}
	for _, rule := range []*common.SignaturePolicy{many, deep} {
		_, err := Text(int32(common.Policy_SIGNATURE), packed(t, &common.SignaturePolicyEnvelope{Rule: rule, Identities: principals}))
		require.ErrorIs(t, err, errLong)
	}
	_, err := Text(int32(common.Policy_SIGNATURE), packed(t, &common.SignaturePolicyEnvelope{Rule: deep.GetNOutOf().Rules[0]}))
	require.NoError(t, err)
}
