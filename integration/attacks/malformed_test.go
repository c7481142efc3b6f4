// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hyperledger/fabric/integration/network"
)

// judged is what a member has ordered, and the verdict of every peer on it.
type judged struct {
	name     string
	envelope *common.Envelope
	want     peer.TxValidationCode
}

const (
	valid     = peer.TxValidationCode_VALID
	malformed = peer.TxValidationCode_INVALID_ENDORSER_TRANSACTION
	unwilling = peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE
	phantom   = peer.TxValidationCode_PHANTOM_READ_CONFLICT
)

// claims makes transactions whose outcome no peer has computed: a member's client sends what it likes, with or without the endorsements of a
// peer of every organisation.
type claims struct {
	t    *testing.T
	n    *network.Network
	user *member
}

func (c *claims) propose() *proposal {
	return propose(c.t, c.n, c.user, network.ChaincodeName, "none")
}

// outcome is what the proposal is said to do to the chaincode's namespace.
func (c *claims) outcome(hash []byte, set *rwset.NsReadWriteSet) []byte {
	set.Namespace = network.ChaincodeName
	return encode(c.t, &peer.ProposalResponsePayload{ProposalHash: hash, Extension: encode(c.t, &peer.ChaincodeAction{
		Results:  encode(c.t, &rwset.TxReadWriteSet{NsRwset: []*rwset.NsReadWriteSet{set}}),
		Response: &peer.Response{Status: 200}, ChaincodeId: &peer.ChaincodeID{Name: network.ChaincodeName, Version: network.FirstVersion},
	})})
}

// endorsed is a transaction that peers of all organisations have signed.
func (c *claims) endorsed(set *rwset.NsReadWriteSet) *common.Envelope {
	p := c.propose()
	outcome := c.outcome(p.hash, set)
	var all []*peer.Endorsement
	for _, org := range c.n.Peers {
		all = append(all, endorsement(c.t, peerOf(c.t, c.n, org, org.PeersOf()[0]), outcome))
	}
	return p.transaction(c.t, outcome, all...)
}

// public are endorsed reads and writes of keys.
func (c *claims) public(set *kvrwset.KVRWSet) *common.Envelope {
	return c.endorsed(&rwset.NsReadWriteSet{Rwset: encode(c.t, set)})
}

// parameter sets the validation parameter of a key.
func (c *claims) parameter(key string, policy []byte) *kvrwset.KVRWSet {
	entry := &kvrwset.KVMetadataEntry{Name: peer.MetaDataKeys_VALIDATION_PARAMETER.String(), Value: policy}
	return &kvrwset.KVRWSet{MetadataWrites: []*kvrwset.KVMetadataWrite{{Key: key, Entries: []*kvrwset.KVMetadataEntry{entry}}}}
}

// nobody is a policy that no endorsements satisfy.
func (c *claims) nobody() []byte {
	return encode(c.t, &common.SignaturePolicyEnvelope{Rule: &common.SignaturePolicy{
		Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: 1}},
	}})
}

// hashed is a write to a collection.
func (c *claims) hashed(collection string) *rwset.NsReadWriteSet {
	hash := sha256.Sum256([]byte(collection))
	return &rwset.NsReadWriteSet{CollectionHashedRwset: []*rwset.CollectionHashedReadWriteSet{{
		CollectionName: collection, PvtRwsetHash: hash[:],
		HashedRwset: encode(c.t, &kvrwset.HashedRWSet{HashedWrites: []*kvrwset.KVWriteHash{{KeyHash: hash[:], ValueHash: hash[:]}}}),
	}}}
}

// headed is an envelope with any data, whose channel header was changed before it was signed.
func (c *claims) headed(data []byte, change func(*common.ChannelHeader)) *common.Envelope {
	p := c.propose()
	header := &common.ChannelHeader{}
	require.NoError(c.t, proto.Unmarshal(p.header.ChannelHeader, header))
	change(header)
	p.header.ChannelHeader = encode(c.t, header)
	return p.signed(c.t, data)
}

// unreadable are transactions that take no endorsement, and cannot be read or have parts too few.
func (c *claims) unreadable() (all []judged) {
	add := func(name string, envelope *common.Envelope, want peer.TxValidationCode) {
		all = append(all, judged{name, envelope, want})
	}
	for _, data := range [][]byte{nil, {0xff}, {0x12, 0}, {0x12, 0, 0x12, 0}} { // nothing, no message, one and two empty actions
		add(fmt.Sprintf("transaction %x", data), c.propose().signed(c.t, data), malformed)
	}
	for _, payload := range [][]byte{
		nil, {0x0a, 1, 0}, {0xff}, {0x12, 0}, {0x12, 3, 0x0a, 1, 0xff}, // nothing, no action, no message, an empty action, no message in it
		{0x12, 7, 0x0a, 5, 0x0a, 0, 0x12, 1, 0xff}, {0x12, 4, 0x0a, 2, 0x12, 0}, // no message in the extension, an empty one
	} {
		p := c.propose()
		add(fmt.Sprintf("action %x", payload), p.signed(c.t, actions(c.t, p, payload)), malformed)
	}
	add("an action without header", c.propose().signed(c.t, encode(c.t, &peer.Transaction{Actions: []*peer.TransactionAction{{}}})), malformed)
	p := c.propose()
	p.header.SignatureHeader = encode(c.t, &common.SignatureHeader{Creator: c.user.serialize(c.t)})
	add("no nonce", p.signed(c.t, nil), peer.TxValidationCode_BAD_COMMON_HEADER)
	add("no identifier", c.headed(nil, func(h *common.ChannelHeader) { h.TxId = "" }), peer.TxValidationCode_BAD_PROPOSAL_TXID)
	add("no extension", c.headed(nil, func(h *common.ChannelHeader) { h.Extension = nil }), malformed)
	if c.n.Consensus != network.ConsensusBFT { // which orders nothing but transactions
		add("no transaction", c.headed(nil, func(h *common.ChannelHeader) { h.Type = int32(common.HeaderType_MESSAGE) }), peer.TxValidationCode_BAD_COMMON_HEADER)
	}
	return all
}

// refused are transactions that can be read, are invalid, and stop peers of stock Fabric. The keys there and waits are one with a value, and
// one that an honest transaction of the same block writes.
func (c *claims) refused(there, waits string) []judged {
	ranged := func(query *kvrwset.RangeQueryInfo) *common.Envelope {
		query.ItrExhausted = true
		return c.public(&kvrwset.KVRWSet{RangeQueriesInfo: []*kvrwset.RangeQueryInfo{query}})
	}
	hashes := func(summary *kvrwset.QueryReadsMerkleSummary) *common.Envelope {
		return ranged(&kvrwset.RangeQueryInfo{ReadsInfo: &kvrwset.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: summary}})
	}
	unendorsed := func(hash func(*proposal) []byte, set *rwset.NsReadWriteSet) *common.Envelope {
		p := c.propose()
		return p.transaction(c.t, c.outcome(hash(p), set))
	}
	own, another := func(p *proposal) []byte { return p.hash }, func(*proposal) []byte { return []byte("another") }
	unversioned := &kvrwset.RangeQueryInfo_RawReads{RawReads: &kvrwset.QueryReads{KvReads: []*kvrwset.KVRead{{Key: there}}}}
	return []judged{
		{"a collection that nobody defined", c.endorsed(c.hashed("nowhere")), unwilling},
		{"a collection without name", c.endorsed(c.hashed("")), peer.TxValidationCode_ILLEGAL_WRITESET},
		{"a collection, without endorsements", unendorsed(own, c.hashed("nowhere")), unwilling},
		{"a collection, of another proposal", unendorsed(another, c.hashed("nowhere")), malformed},
		{"a parameter, of another proposal", unendorsed(another, &rwset.NsReadWriteSet{Rwset: encode(c.t, c.parameter(waits, c.nobody()))}), malformed},
		{"a range that is hashed in groups of one", hashes(&kvrwset.QueryReadsMerkleSummary{MaxDegree: 1}), phantom},
		{"a range of more than it says", hashes(&kvrwset.QueryReadsMerkleSummary{MaxDegree: 2, MaxLevel: 1}), phantom},
		{"a range with a key without version", ranged(&kvrwset.RangeQueryInfo{StartKey: there, EndKey: there + "\x01", ReadsInfo: unversioned}), phantom},
	}
}

// written are blocks of valid transactions with what peers of stock Fabric stop at. The key has a value.
func (c *claims) written(key string) [][]judged {
	write := func(value []byte) *common.Envelope {
		return c.public(&kvrwset.KVRWSet{Writes: []*kvrwset.KVWrite{{Key: key, IsDelete: value == nil, Value: value}}})
	}
	often := &kvrwset.KVRWSet{Writes: slices.Repeat([]*kvrwset.KVWrite{{Key: key + " often", IsDelete: true}}, 32)}
	return [][]judged{
		{
			{"a key that is deleted many times", c.public(often), valid},
			{"a key is deleted", write(nil), valid},
			{"and gets a parameter", c.public(c.parameter(key, c.nobody())), valid},
		},
		{{"the parameter was not set", write([]byte{1}), valid}},
		{{"a parameter that is no policy", c.public(c.parameter(key, []byte{0xff})), valid}},
		{{"the key with this parameter", write([]byte{2}), unwilling}},
	}
}

// order has envelopes ordered in one block, the last of which is honest, and demands the verdicts of every peer. It returns the block.
func (c *claims) order(ctx context.Context, orders []judged, honest string) (block *common.Block) {
	c.t.Helper()
	var envelopes []*common.Envelope
	var data [][]byte
	var verdicts []string
	for _, o := range orders {
		envelopes, data, verdicts = append(envelopes, o.envelope), append(data, encode(c.t, o.envelope)), append(verdicts, o.name+": "+o.want.String())
	}
	together(ctx, c.t, c.n, envelopes...)
	for _, node := range c.n.Nodes(network.Peer) {
		block = blockOf(ctx, c.t, c.n, node, honest)
		require.Equal(c.t, data, block.Data.Data, "they are to be in one block")
		var have []string
		for i, flag := range block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] {
			have = append(have, orders[i].name+": "+peer.TxValidationCode(flag).String())
		}
		require.Equal(c.t, verdicts, have, node.Name)
	}
	return block
}

// together has the first orderer take envelopes one right after the other.
func together(ctx context.Context, t *testing.T, n *network.Network, envelopes ...*common.Envelope) {
	t.Helper()
	stream, err := orderer.NewAtomicBroadcastClient(dial(t, n, n.Nodes(network.Orderer)[0], n.Peers[0], "User1")).Broadcast(ctx)
	require.NoError(t, err)
	for _, envelope := range envelopes {
		require.NoError(t, stream.Send(envelope))
	}
	for range envelopes {
		answer, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, common.Status_SUCCESS, answer.Status, answer.Info)
	}
}

// blockOf waits until a peer has the block with a transaction, and returns it.
func blockOf(ctx context.Context, t *testing.T, n *network.Network, node network.Node, txID string) *common.Block {
	t.Helper()
	connection, err := n.Gateway(node)
	require.NoError(t, err)
	defer connection.Close()
	query := connection.GetNetwork(n.Channel).GetContract("qscc")
	block := &common.Block{}
	require.Eventually(t, func() bool {
		out, err := query.EvaluateWithContext(ctx, "GetBlockByTxID", client.WithArguments(n.Channel, txID))
		return err == nil && proto.Unmarshal(out, block) == nil || n.PID(node.Name) == 0
	}, time.Minute, 20*time.Millisecond, "the block with transaction %s at %s", txID, node.Name)
	requireRunning(t, n)
	return block
}

// requireRunning demands that no node has ended.
func requireRunning(t *testing.T, n *network.Network) {
	t.Helper()
	for _, node := range append(n.Nodes(network.Peer), n.Nodes(network.Orderer)...) {
		require.NotZero(t, n.PID(node.Name), "%s has ended, see %s", node.Name, n.LogFile(node.Name))
	}
}

// checkMalformed: no transaction that a member's client has ordered ends or stops a peer, or changes the verdict on an honest one of its block,
// or keeps that from applications.
func checkMalformed(ctx context.Context, t *testing.T, n *network.Network) {
	c := &claims{t, n, userOf(t, n, n.Peers[0], "User1")}
	key := func(i int) string { return fmt.Sprintf("beside malformed transactions %d", i) }
	var ids []string
	var begin uint64
	for i, orders := range append([][]judged{nil, c.unreadable(), c.refused(key(0), key(2))}, c.written(key(0))...) {
		p := propose(t, n, c.user, network.ChaincodeName, createAsset(key(i))...)
		agreed, endorsements := outcome(ctx, t, n, p)
		block := c.order(ctx, append(orders, judged{"an honest transaction", p.transaction(t, agreed, endorsements...), valid}), p.txID)
		if ids = append(ids, p.txID); i == 0 {
			begin = block.Header.Number
		}
	}
	for _, node := range n.Nodes(network.Peer) {
		require.Subset(t, filtered(ctx, t, n, node, begin, len(ids)), ids, "the honest ones, in the filtered blocks of %s", node.Name)
	}
	_, err := n.AwaitSameBlocks(ctx)
	require.NoError(t, err)
}

// filtered returns the valid transactions in so many filtered blocks of a peer.
func filtered(ctx context.Context, t *testing.T, n *network.Network, node network.Node, begin uint64, blocks int) (ids []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stream, err := peer.NewDeliverClient(dial(t, n, node, n.Peers[0], "User1")).DeliverFiltered(ctx)
	require.NoError(t, err)
	at := func(number uint64) *orderer.SeekPosition {
		return &orderer.SeekPosition{Type: &orderer.SeekPosition_Specified{Specified: &orderer.SeekSpecified{Number: number}}}
	}
	require.NoError(t, stream.Send(seek(t, n, userOf(t, n, n.Peers[0], "User1"), &orderer.SeekInfo{Start: at(begin), Stop: at(begin + uint64(blocks) - 1)})))
	for range blocks {
		answer, err := stream.Recv()
		require.NoError(t, err)
		require.NotNil(t, answer.GetFilteredBlock(), "%v", answer)
		for _, tx := range answer.GetFilteredBlock().FilteredTransactions {
			if tx.TxValidationCode == valid {
				ids = append(ids, tx.Txid)
			}
		}
	}
	return ids
}

// seek is a member's request for blocks.
func seek(t *testing.T, n *network.Network, by *member, what *orderer.SeekInfo) *common.Envelope {
	t.Helper()
	p := propose(t, n, by, network.ChaincodeName)
	p.header.ChannelHeader = encode(t, &common.ChannelHeader{
		Type: int32(common.HeaderType_DELIVER_SEEK_INFO), ChannelId: n.Channel, Timestamp: timestamppb.Now(),
	})
	return p.signed(t, encode(t, what))
}
