// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/integration/network"
)

// retryEvaluations is gRPC's own retry for what only reads. A peer that has just started knows no other peer that has the
// chaincode yet, which it calls a failed precondition.
const retryEvaluations = `{"methodConfig": [{
	"name": [{"service": "gateway.Gateway", "method": "Evaluate"}], "waitForReady": true,
	"retryPolicy": {"maxAttempts": 5, "initialBackoff": "1s", "maxBackoff": "8s", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE", "FAILED_PRECONDITION"]}}]}`

// steady is a load of which nothing may be lost: every asset is created once, and reading never fails beyond gRPC's retry.
type steady struct {
	t    *testing.T
	n    *network.Network
	stop chan struct{}
	wg   sync.WaitGroup

	connections []*grpc.ClientConn

	mu        sync.Mutex
	submitted map[string][]string // ids of the transactions handed over for an asset
	committed int
	evaluated int
	again     map[string]int // why something was sent again, and how often
	failures  []string       // of evaluations, and transactions found invalid
}

// startSteady begins with a submitter and a reader at each of the peers.
func startSteady(ctx context.Context, t *testing.T, n *network.Network, peers ...network.Node) *steady {
	t.Helper()
	s := &steady{t: t, n: n, stop: make(chan struct{}), submitted: map[string][]string{}, again: map[string]int{}}
	for i, p := range peers {
		conn := retrying(t, n, p)
		s.connections = append(s.connections, conn)
		c := contract(t, n, p, client.WithClientConnection(conn), client.WithEvaluateTimeout(recoveryLimit),
			client.WithEndorseTimeout(commitWait), client.WithSubmitTimeout(commitWait), client.WithCommitStatusTimeout(commitWait))
		prefix := fmt.Sprintf("steady-%x-%d-", time.Now().UnixNano(), i)
		createSurely(ctx, t, c, prefix+"read")
		s.wg.Go(func() { s.submit(ctx, c, prefix) })
		s.wg.Go(func() { s.read(c, prefix+"read", n.OrgOf(p).MSPID) })
	}
	t.Cleanup(s.end)
	return s
}

// createSurely creates an asset as a client does that starts while nodes restart: it tries again until the asset is there.
func createSurely(ctx context.Context, t *testing.T, c *client.Contract, id string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := c.SubmitWithContext(ctx, "CreateAsset", client.WithArguments(id, "red", "1", "reader", "1"))
		if err == nil {
			return true
		}
		t.Logf("creating %s: %v", id, err)
		_, err = c.EvaluateWithContext(ctx, "ReadAsset", client.WithArguments(id))
		return err == nil
	}, recoveryLimit, 200*time.Millisecond, "creating %s", id)
}

// end lets the workers finish what they have begun, and hangs up.
func (s *steady) end() {
	s.mu.Lock()
	if !s.stopped() {
		close(s.stop)
	}
	s.mu.Unlock()
	s.wg.Wait()
	for _, conn := range s.connections {
		_ = conn.Close() // again at the end of the test
	}
}

func (s *steady) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// retrying is a connection to a peer's gateway that retries evaluations.
func retrying(t *testing.T, n *network.Network, p network.Node) *grpc.ClientConn {
	t.Helper()
	root := func(file string) []byte {
		_, domain, found := cut(p.Name)
		require.True(t, found)
		data, err := os.ReadFile(filepath.Join(n.Dir, "crypto", "peerOrganizations", domain, "peers", p.Name, "tls", file))
		require.NoError(t, err)
		return data
	}
	var creds credentials.TransportCredentials
	if n.ClientMode == network.ModeGM {
		roots := smx509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(root("gm-ca.crt")))
		config := &gmtls.Config{RootCAs: roots, ServerName: p.Name}
		if n.GMProtocol == network.GMProtocolTLS13 {
			config.Versions = []uint16{gmtls.VersionTLS13}
		}
		creds = gmcredentials.New(config)
	} else {
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(root("ca.crt")))
		creds = credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: p.Name, MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("passthrough:///"+p.Local(), grpc.WithTransportCredentials(creds), grpc.WithDefaultServiceConfig(retryEvaluations))
	require.NoError(t, err)
	return conn
}

func cut(name string) (host, domain string, found bool) {
	for i, c := range name {
		if c == '.' {
			return name[:i], name[i+1:], true
		}
	}
	return name, "", false
}

func (s *steady) submit(ctx context.Context, c *client.Contract, prefix string) {
	for i := 0; !s.stopped() && ctx.Err() == nil; i++ {
		asset := fmt.Sprint(prefix, i)
		for ctx.Err() == nil && !s.create(ctx, c, asset) {
			pause(ctx)
		}
	}
}

// pause keeps a worker from spinning while a node is down.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}

// create makes one transaction and stays with it until it is known what became of it. What an orderer acknowledged may be
// lost with its leader: it is handed over again, the very same.
func (s *steady) create(ctx context.Context, c *client.Contract, asset string) bool {
	proposal, err := c.NewProposal("CreateAsset", client.WithArguments(asset, "blue", "1", "steady", "1"))
	if err != nil {
		return s.note("proposal", err)
	}
	transaction, err := proposal.Endorse()
	if err != nil {
		return s.note("endorse", err)
	}
	s.mu.Lock()
	s.submitted[asset] = append(s.submitted[asset], transaction.TransactionID())
	s.mu.Unlock()
	for ; ctx.Err() == nil; pause(ctx) {
		commit, err := transaction.Submit()
		if err != nil {
			s.note("submit", err)
			continue
		}
		status, err := commit.Status()
		switch {
		case err != nil:
			s.note("commit status", err)
		case status.Successful:
			s.mu.Lock()
			s.committed++
			s.mu.Unlock()
			return true
		case status.Code != peer.TxValidationCode_DUPLICATE_TXID: // its first copy has another status
			s.fail("transaction for %s is invalid: %s", asset, status.Code)
			return false
		}
	}
	return false
}

func (s *steady) note(what string, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.again[what+": "+firstLine(err)]++
	return false
}

func (s *steady) fail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (s *steady) read(c *client.Contract, asset, msp string) {
	for !s.stopped() {
		out, err := c.Evaluate("AssetExists", client.WithArguments(asset), client.WithEndorsingOrganizations(msp))
		if err != nil || string(out) != "true" {
			s.fail("evaluation for %s: %q, %v", msp, out, err)
		}
		s.mu.Lock()
		s.evaluated++
		s.mu.Unlock()
		pause(context.Background())
	}
}

func (s *steady) count() (committed, evaluated int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.committed, s.evaluated
}

// goesOn waits until so many more transactions have committed, and as many evaluations have been answered.
func (s *steady) goesOn(more int, when string) {
	s.t.Helper()
	began := time.Now()
	committed, evaluated := s.count()
	require.Eventually(s.t, func() bool {
		c, e := s.count()
		return c >= committed+more && e >= evaluated+more
	}, recoveryLimit, 20*time.Millisecond, "the network does not go on %s", when)
	s.t.Logf("goes on %s after %.1f s", when, time.Since(began).Seconds())
}

// finish stops the load and checks on every peer's chain that each asset was created by exactly one valid transaction.
func (s *steady) finish(ctx context.Context) {
	t := s.t
	t.Helper()
	s.end()
	t.Logf("%d transactions committed, %d evaluations; sent again: %v", s.committed, s.evaluated, s.again)
	require.Empty(t, s.failures)
	require.NoError(t, ctx.Err())
	require.Len(t, s.submitted, s.committed)
	peers := s.n.Nodes(network.Peer)
	height, err := s.n.Height(ctx, peers[0]) // others may be behind, or ahead under another load
	require.NoError(t, err)
	first, headers := readChain(ctx, t, s.n, peers[0], height)
	for _, p := range peers[1:] {
		codes, others := readChain(ctx, t, s.n, p, height)
		require.Equal(t, headers, others, "%s has another chain than the first peer", p.Name)
		require.Equal(t, first, codes, "%s judges transactions otherwise than the first peer", p.Name)
	}
	for asset, ids := range s.submitted {
		valid := 0
		for _, id := range ids {
			for _, code := range first[id] {
				if code == peer.TxValidationCode_VALID {
					valid++
				}
			}
		}
		require.Equal(t, 1, valid, "valid transactions for %s: %v", asset, ids)
	}
}

// blocksOf reads the first blocks of a peer's chain, height of them, in one stream.
func blocksOf(ctx context.Context, t *testing.T, n *network.Network, p network.Node, height uint64) []*common.Block {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, recoveryLimit)
	defer cancel()
	connection, err := n.Gateway(p)
	require.NoError(t, err)
	defer connection.Close()
	stream, err := connection.GetNetwork(n.Channel).BlockEvents(ctx, client.WithStartBlock(0))
	require.NoError(t, err)
	var blocks []*common.Block
	for number := range height {
		block, ok := <-stream
		require.True(t, ok, "%s ended its blocks before %d of %d", p.Name, number, height)
		require.Equal(t, number, block.Header.Number)
		blocks = append(blocks, block)
	}
	return blocks
}

// readChain reads a peer's chain up to a height: how it judged each transaction, by id, several times if it came several times;
// and of each block the hashes of the one before and of its transactions.
func readChain(ctx context.Context, t *testing.T, n *network.Network, p network.Node, height uint64) (codes map[string][]peer.TxValidationCode, headers []string) {
	t.Helper()
	codes = map[string][]peer.TxValidationCode{}
	for number, block := range blocksOf(ctx, t, n, p, height) {
		headers = append(headers, fmt.Sprintf("%d %x %x", number, block.Header.PreviousHash, block.Header.DataHash))
		flags := block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER]
		require.Len(t, flags, len(block.Data.Data))
		for i, data := range block.Data.Data {
			id := transactionID(t, data)
			codes[id] = append(codes[id], peer.TxValidationCode(flags[i]))
		}
	}
	return codes, headers
}

func transactionID(t *testing.T, data []byte) string {
	t.Helper()
	var (
		envelope common.Envelope
		payload  common.Payload
		header   common.ChannelHeader
	)
	require.NoError(t, proto.Unmarshal(data, &envelope))
	require.NoError(t, proto.Unmarshal(envelope.Payload, &payload))
	require.NoError(t, proto.Unmarshal(payload.Header.ChannelHeader, &header))
	return header.TxId
}
