// SPDX-License-Identifier: Apache-2.0

package inquire

import (
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"
)

func signedBy(index int32) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: index}}
}

func outOf(n int32, rules ...*common.SignaturePolicy) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: n, Rules: rules}}}
}

// TestMalformedNumbers: policies with numbers that make no sense have no sets of principals, at once.
func TestMalformedNumbers(t *testing.T) {
	var many []*common.SignaturePolicy
	for range 64 {
		many = append(many, signedBy(0))
	}
	for name, rule := range map[string]*common.SignaturePolicy{
		"negative principal":         signedBy(-1),
		"negative principal, inside": outOf(1, signedBy(0), outOf(1, signedBy(-1))),
		"principal that is not one":  signedBy(2),
		"negative threshold":         outOf(-1, many...),
		"negative threshold, inside": outOf(1, signedBy(0), outOf(-1, many...)),
		"none":                       nil,
	} {
		t.Run(name, func(t *testing.T) {
			policy := NewInquireableSignaturePolicy(&common.SignaturePolicyEnvelope{
				Rule: rule, Identities: []*msp.MSPPrincipal{{Principal: []byte("one")}, {Principal: []byte("two")}},
			})
			done := make(chan int, 1)
			go func() { done <- len(policy.SatisfiedBy()) }()
			select {
			case n := <-done:
				require.Zero(t, n)
			case <-time.After(10 * time.Second):
				t.Fatal("it computes without end")
			}
		})
	}
	require.Empty(t, NewInquireableSignaturePolicy(nil).SatisfiedBy())
	two := NewInquireableSignaturePolicy(&common.SignaturePolicyEnvelope{
		Rule: outOf(1, signedBy(0), signedBy(1)), Identities: []*msp.MSPPrincipal{{Principal: []byte("one")}, {Principal: []byte("two")}},
	})
	require.Len(t, two.SatisfiedBy(), 2)
}
