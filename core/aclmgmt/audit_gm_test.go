// SPDX-License-Identifier: Apache-2.0

package aclmgmt

import (
	"errors"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/msp"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/core/aclmgmt/resources"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

type outcome struct{ err error }

func (o outcome) CheckACL(string, string, any) error  { return o.err }
func (o outcome) CheckACLNoChannel(string, any) error { return o.err }

// TestSecurityEvents asks in each form in which services ask: a failure is recorded with the rule and who has signed, a success only if
// it changes the peer.
func TestSecurityEvents(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	by := protoutil.MarshalOrPanic(&msp.SerializedIdentity{Mspid: "Org9MSP", IdBytes: []byte("mallory")})
	who := protoutil.LogMessageForSerializedIdentity(by)
	header := &common.Header{
		SignatureHeader: protoutil.MarshalOrPanic(&common.SignatureHeader{Creator: by}),
		ChannelHeader:   protoutil.MarshalOrPanic(&common.ChannelHeader{ChannelId: "trade"}),
	}
	for _, request := range []any{
		&pb.SignedProposal{ProposalBytes: protoutil.MarshalOrPanic(&pb.Proposal{Header: protoutil.MarshalOrPanic(header)})},
		&common.Envelope{Payload: protoutil.MarshalOrPanic(&common.Payload{Header: header})},
		[]*protoutil.SignedData{{Identity: by}},
	} {
		wrong := errors.New("no such right")
		refuses, allows := &aclMgmtImpl{outcome{wrong}}, &aclMgmtImpl{outcome{nil}}
		require.Equal(t, wrong, refuses.CheckACL(resources.Peer_Propose, "trade", request))
		require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=policy-failed channel=trade rule=peer/Propose by=\""+who+"\" reason=\"no such right\"")
		lines.Reset()
		require.Equal(t, wrong, refuses.CheckACLNoChannel(resources.Cscc_JoinChain, request))
		require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=policy-failed channel= rule=cscc/JoinChain by=\""+who+"\"")
		lines.Reset()
		require.NoError(t, allows.CheckACL(resources.Peer_Propose, "trade", request))
		require.Empty(t, lines.Entries(), "an honest transaction")
		require.NoError(t, allows.CheckACLNoChannel(resources.Cscc_JoinChain, request))
		require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=operator-request method=proposal path=cscc/JoinChain operator=\""+who+"\"")
		lines.Reset()
	}
	for _, broken := range []any{nil, "text", &pb.SignedProposal{ProposalBytes: []byte("x")}, &common.Envelope{Payload: []byte("x")}} {
		require.Equal(t, "unknown", signers(broken))
	}
}
