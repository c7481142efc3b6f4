// SPDX-License-Identifier: Apache-2.0

// Package fakepeer plays the peer's side of the conversation with a chaincode server, over a ledger in memory, for the
// tests of chaincode and of the kit that serves it. As on a real peer a transaction reads what was committed before
// it and not its own writes, and writes take effect when it succeeds.
package fakepeer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Channel is the only channel of the peer.
const Channel = "mychannel"

// shimErrorThreshold is the lowest status with which a peer does not endorse.
const shimErrorThreshold = 400

// maxMessages bounds what one transaction may ask of the peer.
const maxMessages = 10000

// Peer is one peer connected to one chaincode server. It runs one transaction at a time.
type Peer struct {
	// ChaincodeID is the name under which the chaincode registered.
	ChaincodeID string

	stream  peer.Chaincode_ConnectClient
	state   map[string]map[string][]byte // by collection ("" for the public one) and key
	history map[string][]*queryresult.KeyModification
	queries map[string][][]byte // the rest of each open query, by id
	nextID  int
}

// Request is one proposal.
type Request struct {
	TxID      string // made up when empty
	Creator   []byte
	Args      []string
	Transient map[string][]byte
}

// Result is what the chaincode made of a proposal.
type Result struct {
	TxID     string
	Response *peer.Response
	Event    *peer.ChaincodeEvent
}

type write struct {
	collection, key string
	value           []byte // nil deletes
}

// Connect opens the stream to the chaincode server at the other end of conn and completes the registration. ctx bounds
// the life of the stream.
func Connect(ctx context.Context, conn grpc.ClientConnInterface) (*Peer, error) {
	stream, err := peer.NewChaincodeClient(conn).Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the stream: %w", err)
	}
	register, err := stream.Recv()
	if err != nil {
		return nil, fmt.Errorf("wait for REGISTER: %w", err)
	}
	if register.GetType() != peer.ChaincodeMessage_REGISTER {
		return nil, fmt.Errorf("the chaincode's first message is %s, not REGISTER", register.GetType())
	}
	id := &peer.ChaincodeID{}
	if err := proto.Unmarshal(register.GetPayload(), id); err != nil {
		return nil, fmt.Errorf("parse REGISTER: %w", err)
	}
	for _, kind := range []peer.ChaincodeMessage_Type{peer.ChaincodeMessage_REGISTERED, peer.ChaincodeMessage_READY} {
		if err := stream.Send(&peer.ChaincodeMessage{Type: kind}); err != nil {
			return nil, fmt.Errorf("send %s: %w", kind, err)
		}
	}
	return &Peer{
		ChaincodeID: id.GetName(),
		stream:      stream,
		state:       map[string]map[string][]byte{},
		history:     map[string][]*queryresult.KeyModification{},
		queries:     map[string][][]byte{},
	}, nil
}

// Submit runs a transaction and commits its writes if it succeeds.
func (p *Peer) Submit(request Request) (*Result, error) {
	result, commit, err := p.Simulate(request)
	if err == nil && result.Response.GetStatus() < shimErrorThreshold {
		commit()
	}
	return result, err
}

// Evaluate runs a transaction and drops its writes.
func (p *Peer) Evaluate(request Request) (*Result, error) {
	result, _, err := p.Simulate(request)
	return result, err
}

// Simulate runs a transaction; commit applies its writes.
func (p *Peer) Simulate(request Request) (result *Result, commit func(), err error) {
	result, writes, err := p.run(request)
	return result, func() {
		for _, w := range writes {
			p.commit(result.TxID, w)
		}
	}, err
}

func (p *Peer) commit(txID string, w write) {
	if w.collection == "" {
		p.history[w.key] = append(p.history[w.key], &queryresult.KeyModification{
			TxId: txID, Value: w.value, IsDelete: w.value == nil, Timestamp: timestamppb.Now(),
		})
	}
	if p.state[w.collection] == nil {
		p.state[w.collection] = map[string][]byte{}
	}
	if w.value == nil {
		delete(p.state[w.collection], w.key)
		return
	}
	p.state[w.collection][w.key] = w.value
}

func (p *Peer) run(request Request) (*Result, []write, error) {
	message, err := transaction(request)
	if err != nil {
		return nil, nil, err
	}
	if err := p.stream.Send(message); err != nil {
		return nil, nil, fmt.Errorf("send the transaction: %w", err)
	}
	var writes []write
	for range maxMessages {
		in, err := p.stream.Recv()
		if err != nil {
			return nil, nil, fmt.Errorf("wait for the chaincode: %w", err)
		}
		switch in.GetType() {
		case peer.ChaincodeMessage_COMPLETED:
			response := &peer.Response{}
			if err := proto.Unmarshal(in.GetPayload(), response); err != nil {
				return nil, nil, fmt.Errorf("parse the response: %w", err)
			}
			return &Result{TxID: in.GetTxid(), Response: response, Event: in.GetChaincodeEvent()}, writes, nil
		case peer.ChaincodeMessage_ERROR:
			return nil, nil, fmt.Errorf("the chaincode failed: %s", in.GetPayload())
		}
		out := &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_RESPONSE, Txid: in.GetTxid(), ChannelId: in.GetChannelId()}
		payload, w, err := p.serve(in)
		writes = append(writes, w...)
		out.Payload = payload
		if err != nil {
			out.Type, out.Payload = peer.ChaincodeMessage_ERROR, []byte(err.Error())
		}
		if err := p.stream.Send(out); err != nil {
			return nil, nil, fmt.Errorf("answer %s: %w", in.GetType(), err)
		}
	}
	return nil, nil, errors.New("the chaincode does not come to an end")
}

// serve answers one request for the ledger; writes come back to be kept until the transaction ends.
func (p *Peer) serve(in *peer.ChaincodeMessage) ([]byte, []write, error) {
	switch in.GetType() {
	case peer.ChaincodeMessage_GET_STATE:
		m := &peer.GetState{}
		err := proto.Unmarshal(in.GetPayload(), m)
		return p.state[m.GetCollection()][m.GetKey()], nil, err
	case peer.ChaincodeMessage_GET_PRIVATE_DATA_HASH:
		m := &peer.GetState{}
		err := proto.Unmarshal(in.GetPayload(), m)
		value, ok := p.state[m.GetCollection()][m.GetKey()]
		if !ok {
			return nil, nil, err
		}
		sum := sha256.Sum256(value)
		return sum[:], nil, err
	case peer.ChaincodeMessage_PUT_STATE:
		m := &peer.PutState{}
		err := proto.Unmarshal(in.GetPayload(), m)
		return nil, []write{{m.GetCollection(), m.GetKey(), m.GetValue()}}, err
	case peer.ChaincodeMessage_DEL_STATE:
		m := &peer.DelState{}
		err := proto.Unmarshal(in.GetPayload(), m)
		return nil, []write{{collection: m.GetCollection(), key: m.GetKey()}}, err
	case peer.ChaincodeMessage_PURGE_PRIVATE_DATA:
		m := &peer.PurgePrivateState{}
		err := proto.Unmarshal(in.GetPayload(), m)
		return nil, []write{{collection: m.GetCollection(), key: m.GetKey()}}, err
	case peer.ChaincodeMessage_GET_STATE_BY_RANGE:
		payload, err := p.queryRange(in.GetPayload())
		return payload, nil, err
	case peer.ChaincodeMessage_GET_HISTORY_FOR_KEY:
		payload, err := p.queryHistory(in.GetPayload())
		return payload, nil, err
	case peer.ChaincodeMessage_QUERY_STATE_NEXT:
		m := &peer.QueryStateNext{}
		if err := proto.Unmarshal(in.GetPayload(), m); err != nil {
			return nil, nil, err
		}
		payload, err := p.batch(m.GetId(), nil)
		return payload, nil, err
	case peer.ChaincodeMessage_QUERY_STATE_CLOSE:
		m := &peer.QueryStateClose{}
		if err := proto.Unmarshal(in.GetPayload(), m); err != nil {
			return nil, nil, err
		}
		delete(p.queries, m.GetId())
		payload, err := proto.Marshal(&peer.QueryResponse{Id: m.GetId()})
		return payload, nil, err
	default:
		return nil, nil, fmt.Errorf("the fake peer does not serve %s", in.GetType())
	}
}

// queryRange serves ranges as LevelDB peers do: start <= key < end, an empty end open; a page's bookmark is the first
// key of the next page.
func (p *Peer) queryRange(payload []byte) ([]byte, error) {
	m, page := &peer.GetStateByRange{}, &peer.QueryMetadata{}
	if err := errors.Join(proto.Unmarshal(payload, m), proto.Unmarshal(m.GetMetadata(), page)); err != nil {
		return nil, err
	}
	start := m.GetStartKey()
	if page.GetBookmark() != "" {
		start = page.GetBookmark()
	}
	var keys []string
	for key := range p.state[m.GetCollection()] {
		if key >= start && (m.GetEndKey() == "" || key < m.GetEndKey()) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	meta := &peer.QueryResponseMetadata{}
	if size := int(page.GetPageSize()); size > 0 && len(keys) > size {
		meta.Bookmark, keys = keys[size], keys[:size]
	}
	meta.FetchedRecordsCount = int32(len(keys))
	var records [][]byte
	for _, key := range keys {
		record, err := proto.Marshal(&queryresult.KV{Namespace: "asset", Key: key, Value: p.state[m.GetCollection()][key]})
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	metadata, err := proto.Marshal(meta)
	if err != nil {
		return nil, err
	}
	return p.open(records, metadata)
}

func (p *Peer) queryHistory(payload []byte) ([]byte, error) {
	m := &peer.GetHistoryForKey{}
	if err := proto.Unmarshal(payload, m); err != nil {
		return nil, err
	}
	var records [][]byte
	for _, modification := range slices.Backward(p.history[m.GetKey()]) {
		record, err := proto.Marshal(modification)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return p.open(records, nil)
}

func (p *Peer) open(records [][]byte, metadata []byte) ([]byte, error) {
	p.nextID++
	id := fmt.Sprintf("query-%d", p.nextID)
	p.queries[id] = records
	return p.batch(id, metadata)
}

// batch sends the next two records of a query, so that tests go through QUERY_STATE_NEXT.
func (p *Peer) batch(id string, metadata []byte) ([]byte, error) {
	rest, ok := p.queries[id]
	if !ok {
		return nil, fmt.Errorf("no open query %s", id)
	}
	n := min(2, len(rest))
	response := &peer.QueryResponse{Id: id, HasMore: len(rest) > n, Metadata: metadata}
	for _, record := range rest[:n] {
		response.Results = append(response.Results, &peer.QueryResultBytes{ResultBytes: record})
	}
	p.queries[id] = rest[n:]
	return proto.Marshal(response)
}

// OpenQueries reports how many iterators the chaincode left open.
func (p *Peer) OpenQueries() int { return len(p.queries) }

// Private is a collection's state, which the caller may change as an administrator of the peer's host could.
func (p *Peer) Private(collection string) map[string][]byte { return p.state[collection] }

// PublicKeys returns the keys of the public state that start with prefix, in order.
func (p *Peer) PublicKeys(prefix string) []string {
	var keys []string
	for key := range p.state[""] {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// transaction makes the message in which a peer hands a proposal to a chaincode. Its signature is left out: chaincode
// relies on the peer to have checked it.
func transaction(request Request) (*peer.ChaincodeMessage, error) {
	nonce := make([]byte, 24)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	txID := request.TxID
	if txID == "" {
		sum := sha256.Sum256(append(slices.Clone(nonce), request.Creator...))
		txID = hex.EncodeToString(sum[:])
	}

	input := &peer.ChaincodeInput{}
	for _, arg := range request.Args {
		input.Args = append(input.Args, []byte(arg))
	}
	inputBytes, err1 := proto.Marshal(input)
	channelHeader, err2 := proto.Marshal(&common.ChannelHeader{
		Type: int32(common.HeaderType_ENDORSER_TRANSACTION), ChannelId: Channel, TxId: txID, Timestamp: timestamppb.Now(),
	})
	signatureHeader, err3 := proto.Marshal(&common.SignatureHeader{Creator: request.Creator, Nonce: nonce})
	header, err4 := proto.Marshal(&common.Header{ChannelHeader: channelHeader, SignatureHeader: signatureHeader})
	payload, err5 := proto.Marshal(&peer.ChaincodeProposalPayload{Input: inputBytes, TransientMap: request.Transient})
	proposal, err6 := proto.Marshal(&peer.Proposal{Header: header, Payload: payload})
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return nil, err
	}
	return &peer.ChaincodeMessage{
		Type: peer.ChaincodeMessage_TRANSACTION, Txid: txID, ChannelId: Channel, Payload: inputBytes,
		Proposal: &peer.SignedProposal{ProposalBytes: proposal},
	}, nil
}
