// SPDX-License-Identifier: Apache-2.0

// Package fakegateway plays a gateway peer and the orderer behind it, over a chaincode that a fakepeer runs, for the tests
// of clients. It checks every signature as a peer would, those under SM2 with tjfoc/gmsm, which shares no code with the
// library that the client kit signs with. Each transaction becomes a block.
package fakegateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Gateway serves the gateway and the deliver service of a peer.
type Gateway struct {
	gateway.UnimplementedGatewayServer
	peer.UnimplementedDeliverServer

	// Chaincode is the name under which events are served.
	Chaincode string
	// Mutual makes the deliver service demand the hash of the client's TLS certificate, as peers do under mutual TLS.
	Mutual bool
	// Validate, when not nil, gives the validation code of a transaction. It is called once for each.
	Validate func(txID string) peer.TxValidationCode
	// Lose, when not nil, tells of a transaction that was accepted whether it is lost before it is ordered, as those are that
	// a raft leader takes with it.
	Lose func(txID string) bool
	// Fail, when not nil, is asked before each call, by the name of the method, for an error to fail it with.
	Fail func(method string) error

	mu       sync.Mutex // guards all below, and the use of ledger
	ledger   *fakepeer.Peer
	endorsed map[string]*endorsement
	blocks   []*block
	grown    chan struct{} // closed and replaced whenever blocks grows
}

type endorsement struct {
	result *fakepeer.Result
	commit func()
}

type block struct {
	*common.Block
	txID  string // of the only transaction; empty in the genesis block
	code  peer.TxValidationCode
	event *peer.ChaincodeEvent // nil when the transaction set none or is not valid
}

// New makes a gateway whose ledger holds a genesis block, which no other one has.
func New(chaincode string, ledger *fakepeer.Peer) *Gateway {
	g := &Gateway{Chaincode: chaincode, ledger: ledger, endorsed: map[string]*endorsement{}, grown: make(chan struct{})}
	g.append([]byte("genesis "+rand.Text()), &block{})
	return g
}

// Register adds the services to a gRPC server.
func (g *Gateway) Register(server grpc.ServiceRegistrar) {
	gateway.RegisterGatewayServer(server, g)
	peer.RegisterDeliverServer(server, g)
}

// Height returns the number of blocks.
func (g *Gateway) Height() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return uint64(len(g.blocks))
}

func (g *Gateway) fail(method string) error {
	if g.Fail == nil {
		return nil
	}
	return g.Fail(method)
}

// Evaluate runs a query.
func (g *Gateway) Evaluate(_ context.Context, in *gateway.EvaluateRequest) (*gateway.EvaluateResponse, error) {
	if err := g.fail("Evaluate"); err != nil {
		return nil, err
	}
	_, request, err := openProposal(in.GetProposedTransaction(), in.GetTransactionId())
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	result, err := g.ledger.Evaluate(request)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if result.Response.GetStatus() >= 400 {
		return nil, chaincodeError(result.Response.GetMessage())
	}
	return &gateway.EvaluateResponse{Result: result.Response}, nil
}

// Endorse runs a transaction and returns the envelope for the client to sign.
func (g *Gateway) Endorse(_ context.Context, in *gateway.EndorseRequest) (*gateway.EndorseResponse, error) {
	if err := g.fail("Endorse"); err != nil {
		return nil, err
	}
	proposal, request, err := openProposal(in.GetProposedTransaction(), in.GetTransactionId())
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	result, commit, err := g.ledger.Simulate(request)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if result.Response.GetStatus() >= 400 {
		return nil, chaincodeError(result.Response.GetMessage())
	}
	envelope, err := prepare(proposal, result)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	g.endorsed[request.TxID] = &endorsement{result: result, commit: commit}
	return &gateway.EndorseResponse{PreparedTransaction: envelope}, nil
}

// Submit orders and commits an endorsed transaction.
func (g *Gateway) Submit(_ context.Context, in *gateway.SubmitRequest) (*gateway.SubmitResponse, error) {
	if err := g.fail("Submit"); err != nil {
		return nil, err
	}
	envelope := in.GetPreparedTransaction()
	if _, err := openEnvelope(envelope); err != nil {
		return nil, err
	}
	data, err := proto.Marshal(envelope)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	endorsed, ok := g.endorsed[in.GetTransactionId()]
	if !ok {
		return nil, status.Errorf(codes.FailedPrecondition, "transaction %s was not endorsed", in.GetTransactionId())
	}
	delete(g.endorsed, in.GetTransactionId())
	if g.Lose != nil && g.Lose(in.GetTransactionId()) {
		return &gateway.SubmitResponse{}, nil
	}
	b := &block{txID: in.GetTransactionId()}
	if g.Validate != nil {
		b.code = g.Validate(b.txID)
	}
	if b.code == peer.TxValidationCode_VALID {
		endorsed.commit()
		if event := endorsed.result.Event; event != nil {
			b.event = &peer.ChaincodeEvent{ChaincodeId: g.Chaincode, TxId: b.txID, EventName: event.GetEventName(), Payload: event.GetPayload()}
		}
	}
	g.append(data, b)
	return &gateway.SubmitResponse{}, nil
}

// append chains a block of one transaction to the ledger. The caller holds mu.
func (g *Gateway) append(data []byte, b *block) {
	sum := sha256.Sum256(data)
	header := &common.BlockHeader{Number: uint64(len(g.blocks)), DataHash: sum[:]}
	if len(g.blocks) > 0 {
		header.PreviousHash = g.blocks[len(g.blocks)-1].GetHeader().GetDataHash()
	}
	metadata := make([][]byte, len(common.BlockMetadataIndex_name))
	metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{byte(b.code)}
	b.Block = &common.Block{Header: header, Data: &common.BlockData{Data: [][]byte{data}}, Metadata: &common.BlockMetadata{Metadata: metadata}}
	g.blocks = append(g.blocks, b)
	close(g.grown)
	g.grown = make(chan struct{})
}

// block waits for the block of that number.
func (g *Gateway) block(ctx context.Context, number uint64) (*block, error) {
	for {
		g.mu.Lock()
		if number < uint64(len(g.blocks)) {
			b := g.blocks[number]
			g.mu.Unlock()
			return b, nil
		}
		grown := g.grown
		g.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// CommitStatus waits until the transaction is committed.
func (g *Gateway) CommitStatus(ctx context.Context, in *gateway.SignedCommitStatusRequest) (*gateway.CommitStatusResponse, error) {
	if err := g.fail("CommitStatus"); err != nil {
		return nil, err
	}
	request := &gateway.CommitStatusRequest{}
	if err := proto.Unmarshal(in.GetRequest(), request); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := verify(request.GetIdentity(), in.GetRequest(), in.GetSignature()); err != nil {
		return nil, err
	}
	for number := uint64(0); ; number++ {
		b, err := g.block(ctx, number)
		if err != nil {
			return nil, status.FromContextError(err).Err()
		}
		if b.txID == request.GetTransactionId() {
			return &gateway.CommitStatusResponse{Result: b.code, BlockNumber: number}, nil
		}
	}
}

// ChaincodeEvents serves the events of the chaincode from the position that the client names.
func (g *Gateway) ChaincodeEvents(in *gateway.SignedChaincodeEventsRequest, stream gateway.Gateway_ChaincodeEventsServer) error {
	if err := g.fail("ChaincodeEvents"); err != nil {
		return err
	}
	request := &gateway.ChaincodeEventsRequest{}
	if err := proto.Unmarshal(in.GetRequest(), request); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if err := verify(request.GetIdentity(), in.GetRequest(), in.GetSignature()); err != nil {
		return err
	}
	number, err := g.start(request.GetStartPosition())
	if err != nil {
		return err
	}
	for after := request.GetAfterTransactionId(); ; number++ {
		b, err := g.block(stream.Context(), number)
		if err != nil {
			return status.FromContextError(err).Err()
		}
		seen := after != "" && b.txID == after
		after = "" // counts in the first block alone
		if seen || b.event == nil || request.GetChaincodeId() != g.Chaincode {
			continue
		}
		err = stream.Send(&gateway.ChaincodeEventsResponse{BlockNumber: number, Events: []*peer.ChaincodeEvent{b.event}})
		if err != nil {
			return err
		}
	}
}

// chaincodeError is what a gateway returns when the chaincode refuses: ABORTED with the peer's message as a detail.
func chaincodeError(message string) error {
	s, err := status.New(codes.Aborted, "failed to endorse transaction, see attached details for more info").WithDetails(
		&gateway.ErrorDetail{Address: "localhost:7051", MspId: "Org1MSP", Message: "chaincode response 500, " + message})
	return errors.Join(err, s.Err())
}

// prepare makes the envelope of an endorsed transaction.
func prepare(proposal *peer.Proposal, result *fakepeer.Result) (*common.Envelope, error) {
	header := &common.Header{}
	err1 := proto.Unmarshal(proposal.GetHeader(), header)
	response, err2 := proto.Marshal(&peer.ChaincodeAction{Response: result.Response})
	endorsed, err3 := proto.Marshal(&peer.ProposalResponsePayload{Extension: response})
	called := &peer.ChaincodeProposalPayload{}
	err7 := proto.Unmarshal(proposal.GetPayload(), called)
	called.TransientMap = nil // which never reaches an orderer
	input, err8 := proto.Marshal(called)
	action, err4 := proto.Marshal(&peer.ChaincodeActionPayload{
		ChaincodeProposalPayload: input,
		Action:                   &peer.ChaincodeEndorsedAction{ProposalResponsePayload: endorsed},
	})
	transaction, err5 := proto.Marshal(&peer.Transaction{Actions: []*peer.TransactionAction{
		{Header: header.GetSignatureHeader(), Payload: action},
	}})
	payload, err6 := proto.Marshal(&common.Payload{Header: header, Data: transaction})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
		return nil, fmt.Errorf("prepare the envelope: %w", err)
	}
	return &common.Envelope{Payload: payload}, nil
}
