// SPDX-License-Identifier: Apache-2.0

package plugindispatcher

import (
	"errors"
	"testing"

	mb "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policydsl"
	validation "github.com/hyperledger/fabric/core/handlers/validation/api"
	vp "github.com/hyperledger/fabric/core/handlers/validation/api/policies"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// signer counts how often its signature was verified. It satisfies all principals.
type signer struct {
	msp.Identity
	verified int
}

func (*signer) GetIdentifier() *msp.IdentityIdentifier    { return &msp.IdentityIdentifier{Id: "signer"} }
func (*signer) SatisfiesPrincipal(*mb.MSPPrincipal) error { return nil }

func (s *signer) Verify(_, signature []byte) error {
	s.verified++
	if string(signature) != "right" {
		return errors.New("wrong signature")
	}
	return nil
}

type signers struct {
	msp.IdentityDeserializer
	signer
}

func (s *signers) DeserializeIdentity([]byte) (msp.Identity, error) { return &s.signer, nil }

// managers are those of a channel that has no policies.
type managers struct{}

func (managers) Manager(string) policies.Manager { return &policies.ManagerImpl{} }

type endorsements interface {
	vp.PolicyEvaluator
	ForEndorsements([]*protoutil.SignedData) func([]byte) error
}

// keeper keeps the policy evaluator that it gets.
type keeper struct {
	validation.Plugin
	policies endorsements
}

func (p *keeper) Init(dependencies ...validation.Dependency) error {
	for _, d := range dependencies {
		if e, ok := d.(endorsements); ok {
			p.policies = e
		}
	}
	return nil
}

// TestPluginsVerifyOnce: plugins get a policy evaluator that verifies a set of signatures once, and judges policies as it does otherwise.
func TestPluginsVerifyOnce(t *testing.T) {
	identities, p := &signers{}, &keeper{}
	byChannel := &pluginsByChannel{pv: NewPluginValidator(nil, nil, identities, nil, managers{}, nil)}
	_, err := byChannel.initPlugin(p, "channel")
	require.NoError(t, err)
	require.NotNil(t, p.policies)
	policy := func(n int32) []byte {
		return protoutil.MarshalOrPanic(&peer.ApplicationPolicy{Type: &peer.ApplicationPolicy_SignaturePolicy{
			SignaturePolicy: policydsl.SignedByNOutOfGivenRole(n, mb.MSPRole_MEMBER, []string{"A", "B"}),
		}})
	}
	one, two := policy(1), policy(2)
	for _, signature := range []string{"right", "wrong"} {
		set := []*protoutil.SignedData{{Signature: []byte(signature)}}
		evaluate := p.policies.ForEndorsements(set)
		identities.verified = 0
		for range 3 {
			for _, policy := range [][]byte{one, two, {1}} {
				got := evaluate(policy)
				verified := identities.verified
				require.Equal(t, 1, verified)
				if want := p.policies.Evaluate(policy, set); want != nil {
					require.EqualError(t, got, want.Error())
				} else {
					require.NoError(t, got)
				}
				identities.verified = verified
			}
		}
		require.Equal(t, signature == "right", evaluate(one) == nil)
		require.Error(t, evaluate(two))
	}
}
