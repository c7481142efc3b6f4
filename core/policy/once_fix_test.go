// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// signer satisfies principals of its own name, and counts how often its signature was verified.
type signer struct {
	msp.Identity
	name     string
	verified *int
}

func (s signer) GetIdentifier() *msp.IdentityIdentifier {
	return &msp.IdentityIdentifier{Mspid: s.name}
}

func (s signer) Verify(message, signature []byte) error {
	*s.verified++
	if string(signature) != "right" || string(message) != "results"+s.name {
		return errors.New("wrong signature")
	}
	return nil
}

func (s signer) SatisfiesPrincipal(p *mb.MSPPrincipal) error {
	if string(p.Principal) != s.name {
		return errors.New("another name")
	}
	return nil
}

// signers makes identities of their names.
type signers struct {
	msp.IdentityDeserializer
	verified int
}

func (s *signers) DeserializeIdentity(b []byte) (msp.Identity, error) {
	if len(b) == 0 {
		return nil, errors.New("no identity")
	}
	return signer{name: string(b), verified: &s.verified}, nil
}

// references has one policy of the channel, of principal A.
type references struct {
	*cauthdsl.EnvelopeBasedPolicyProvider
}

func (r references) NewPolicy(reference string) (policies.Policy, error) {
	if reference != "/A" {
		return nil, errors.New("no such policy")
	}
	return r.EnvelopeBasedPolicyProvider.NewPolicy(of(1, "A"))
}

func of(n int32, names ...string) *common.SignaturePolicyEnvelope {
	e := &common.SignaturePolicyEnvelope{}
	var rules []*common.SignaturePolicy
	for i, name := range names {
		e.Identities = append(e.Identities, &mb.MSPPrincipal{Principal: []byte(name)})
		rules = append(rules, policydsl.SignedBy(int32(i)))
	}
	e.Rule = policydsl.NOutOf(n, rules)
	return e
}

// TestForEndorsements: for one set of endorsements, each policy has the verdict that Evaluate gives, error and all, and each endorsement is verified once.
func TestForEndorsements(t *testing.T) {
	identities := &signers{}
	provider := &cauthdsl.EnvelopeBasedPolicyProvider{Deserializer: identities}
	a := &ApplicationPolicyEvaluator{signaturePolicyProvider: provider, channelPolicyReferenceProvider: references{provider}}
	signature := func(e *common.SignaturePolicyEnvelope) []byte {
		return protoutil.MarshalOrPanic(&peer.ApplicationPolicy{Type: &peer.ApplicationPolicy_SignaturePolicy{SignaturePolicy: e}})
	}
	reference := func(r string) []byte {
		return protoutil.MarshalOrPanic(&peer.ApplicationPolicy{Type: &peer.ApplicationPolicy_ChannelConfigPolicyReference{ChannelConfigPolicyReference: r}})
	}
	plain := [][]byte{
		signature(of(1, "A")), signature(of(2, "A", "B")), signature(of(1, "C")), signature(of(2, "A", "A")), signature(of(0)),
		signature(&common.SignaturePolicyEnvelope{}), {1}, nil,
	}
	set := []*protoutil.SignedData{
		{Identity: []byte("A"), Signature: []byte("wrong")}, {Identity: []byte("A"), Signature: []byte("right")}, {Identity: []byte("A"), Signature: []byte("right")},
		{Identity: []byte("B"), Signature: []byte("right")}, {Identity: []byte("C"), Signature: []byte("wrong")}, {},
	}
	var whole []*protoutil.SignedData
	for _, s := range set {
		s.Data = []byte("results")
		whole = append(whole, &protoutil.SignedData{Data: append([]byte("results"), s.Identity...), Identity: s.Identity, Signature: s.Signature})
	}
	evaluate := a.ForEndorsements(set)
	require.Zero(t, identities.verified, "nothing is verified before a policy needs it")
	var got []error
	for _, p := range plain {
		got = append(got, evaluate(p))
	}
	for _, r := range [][]byte{reference("/A"), reference("/B")} {
		plain, got = append(plain, r), append(got, evaluate(r))
	}
	require.Equal(t, 4, identities.verified)
	for i, p := range plain {
		if want := a.Evaluate(p, whole); want != nil {
			require.EqualError(t, got[i], want.Error(), i)
		} else {
			require.NoError(t, got[i], i)
		}
	}
	require.NoError(t, got[0])
	require.NoError(t, got[1])
	require.Error(t, got[2])
	require.NoError(t, evaluate(signature(of(1, "B"))))
	require.Error(t, a.ForEndorsements(nil)(signature(of(1, "A"))), "of another set")
}
