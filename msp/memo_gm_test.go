// SPDX-License-Identifier: Apache-2.0

//fork:file perf: what the memo may not decide

package msp_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	m "github.com/hyperledger/fabric-protos-go/msp"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/metrics"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/core/handlers/auth/filter"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/msp/cache"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// remembered counts the verifications that were not computed.
type remembered struct {
	*disabled.Provider
	n *atomic.Int64
}

func (r remembered) NewCounter(metrics.CounterOpts) metrics.Counter { return rememberedCounter{n: r.n} }

type rememberedCounter struct {
	n      *atomic.Int64
	counts bool
}

func (c rememberedCounter) With(labels ...string) metrics.Counter {
	c.counts = slices.Contains(labels, "remembered")
	return c
}

func (c rememberedCounter) Add(delta float64) {
	if c.counts {
		c.n.Add(int64(delta))
	}
}

// observe starts with an empty memo and returns what is counted.
func observe(t *testing.T) *atomic.Int64 {
	t.Helper()
	n := &atomic.Int64{}
	sw.UseMetrics(remembered{&disabled.Provider{}, n})
	sw.RememberVerifications(true)
	t.Cleanup(func() {
		sw.RememberVerifications(false)
		sw.UseMetrics(&disabled.Provider{})
	})
	return n
}

// newMSP is as channels have it, with the cache of identities.
func newMSP(t *testing.T, conf *m.MSPConfig) msp.MSP {
	t.Helper()
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	bare, err := msp.New(msp.Options[msp.ProviderTypeToString(msp.FABRIC)], csp)
	require.NoError(t, err)
	cached, err := cache.New(bare)
	require.NoError(t, err)
	require.NoError(t, cached.Setup(conf))
	return cached
}

// policyOf asks for a signature of one who has the role, by the MSP as it is now.
func policyOf(t *testing.T, deserializer msp.IdentityDeserializer, role m.MSPRole_MSPRoleType) policies.Policy {
	t.Helper()
	provider := &cauthdsl.EnvelopeBasedPolicyProvider{Deserializer: deserializer}
	envelope := &cb.SignaturePolicyEnvelope{
		Rule: policydsl.SignedBy(0),
		Identities: []*m.MSPPrincipal{{
			PrincipalClassification: m.MSPPrincipal_ROLE,
			Principal:               protoutil.MarshalOrPanic(&m.MSPRole{MspIdentifier: "TestMSP", Role: role}),
		}},
	}
	policy, err := provider.NewPolicy(envelope)
	require.NoError(t, err)
	return policy
}

func signedBy(t *testing.T, member *msp.Member, message string) []*protoutil.SignedData {
	t.Helper()
	return []*protoutil.SignedData{{
		Data: []byte(message), Identity: member.Serialized(), Signature: member.Sign(t, []byte(message)),
	}}
}

// A signature that is known to verify says nothing about who may act: each policy and MSP decides that again.
func TestMemoDecidesNothing(t *testing.T) {
	msp.EachOrganisation(t, func(t *testing.T, org *msp.Organisation) {
		soon := time.Now().Add(time.Hour)
		member, other := org.Peer(t, soon), org.Peer(t, soon)
		set := signedBy(t, member, "message")

		// known lets the signature in once, under a configuration without blame.
		known := func(t *testing.T) (*atomic.Int64, msp.MSP) {
			t.Helper()
			n, target := observe(t), newMSP(t, org.Config(t))
			policy := policyOf(t, target, m.MSPRole_PEER)
			require.NoError(t, policy.EvaluateSignedData(set))
			require.Zero(t, n.Load())
			require.NoError(t, policy.EvaluateSignedData(set))
			require.Equal(t, int64(1), n.Load(), "the second policy meets a known signature")
			return n, target
		}
		refused := func(t *testing.T, n *atomic.Int64, hits int64, policy policies.Policy, set []*protoutil.SignedData) {
			t.Helper()
			before := n.Load()
			require.Error(t, policy.EvaluateSignedData(set))
			require.Equal(t, before+hits, n.Load())
		}

		t.Run("revoked by a config update", func(t *testing.T) {
			n, _ := known(t)
			refused(t, n, 1, policyOf(t, newMSP(t, org.Config(t, member)), m.MSPRole_PEER), set)
			require.NoError(t, policyOf(t, newMSP(t, org.Config(t, other)), m.MSPRole_PEER).EvaluateSignedData(set))
		})
		t.Run("revoked in an MSP that is set up again", func(t *testing.T) {
			n, target := known(t)
			policy := policyOf(t, target, m.MSPRole_PEER)
			require.NoError(t, target.Setup(org.Config(t, member)))
			refused(t, n, 1, policy, set)
		})
		t.Run("CA replaced by a config update", func(t *testing.T) {
			known(t)
			msp.EachOrganisation(t, func(t *testing.T, successor *msp.Organisation) {
				require.Error(t, policyOf(t, newMSP(t, successor.Config(t)), m.MSPRole_PEER).EvaluateSignedData(set))
			})
		})
		t.Run("role that the signer does not have", func(t *testing.T) {
			n, target := known(t)
			refused(t, n, 1, policyOf(t, target, m.MSPRole_ADMIN), set)
		})
		t.Run("signature of another", func(t *testing.T) {
			n, target := known(t)
			stolen := *set[0]
			stolen.Identity = other.Serialized()
			refused(t, n, 0, policyOf(t, target, m.MSPRole_PEER), []*protoutil.SignedData{&stolen})
		})
		t.Run("other message", func(t *testing.T) {
			n, target := known(t)
			changed := *set[0]
			changed.Data = []byte("messagE")
			refused(t, n, 0, policyOf(t, target, m.MSPRole_PEER), []*protoutil.SignedData{&changed})
		})
	})
}

// endorser is what the filters of a peer protect.
type endorser struct{ called bool }

func (e *endorser) ProcessProposal(context.Context, *pb.SignedProposal) (*pb.ProposalResponse, error) {
	e.called = true
	return &pb.ProposalResponse{}, nil
}

func TestMemoDoesNotOutliveACertificate(t *testing.T) {
	msp.EachOrganisation(t, func(t *testing.T, org *msp.Organisation) {
		for _, expired := range []bool{false, true} {
			notAfter := time.Now().Add(time.Hour)
			if expired {
				notAfter = time.Now().Add(-time.Hour)
			}
			member := org.Peer(t, notAfter)
			header := protoutil.MarshalOrPanic(&cb.Header{
				SignatureHeader: protoutil.MarshalOrPanic(&cb.SignatureHeader{Creator: member.Serialized()}),
			})
			proposal := protoutil.MarshalOrPanic(&pb.Proposal{Header: header})
			signed := &pb.SignedProposal{ProposalBytes: proposal, Signature: member.Sign(t, proposal)}

			n := observe(t)
			identity, err := newMSP(t, org.Config(t)).DeserializeIdentity(member.Serialized())
			require.NoError(t, err)
			for range 2 {
				require.NoError(t, identity.Verify(signed.ProposalBytes, signed.Signature))
			}
			require.Equal(t, int64(1), n.Load())

			next, check := &endorser{}, filter.NewExpirationCheckFilter()
			check.Init(next)
			_, err = check.ProcessProposal(context.Background(), proto.Clone(signed).(*pb.SignedProposal))
			require.Equal(t, !expired, next.called)
			if expired {
				require.ErrorContains(t, err, "identity expired")
			} else {
				require.NoError(t, err)
			}
		}
	})
}
