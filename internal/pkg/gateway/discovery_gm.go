// SPDX-License-Identifier: Apache-2.0

//fork:file perf: answers of discovery serve the transactions of a moment

package gateway

import (
	"sync"
	"time"

	"github.com/golang/protobuf/proto"
	dp "github.com/hyperledger/fabric-protos-go/discovery"
	peerproto "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/core/peer"
	"github.com/hyperledger/fabric/core/scc"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/pkg/gateway/config"
)

// descriptorLife is how long an answer about who can endorse is used again. What it is made of, gossip, changes in seconds, and
// an endorsement takes longer than this: a client sees nothing that it could not see without.
const descriptorLife = 100 * time.Millisecond

// maxDescriptors bounds the answers that are kept, and maxInterest the bytes of the question to which one is, as clients choose it.
const (
	maxDescriptors = 256
	maxInterest    = 4 << 10
)

// CreateServer creates the gateway of a peer.
//
//fork:wrap perf: one answer of discovery serves all transactions of a moment
func CreateServer(local peerproto.EndorserServer, discovery Discovery, node *peer.Peer, secureOptions *comm.SecureOptions, policy ACLChecker,
	mspID string, options config.Options, systemChaincodes scc.BuiltinSCCs) *Server {
	remembering := &briefMemory{Discovery: discovery, now: time.Now}
	return upstreamCreateServer(local, remembering, node, secureOptions, policy, mspID, options, systemChaincodes)
}

// briefMemory is discovery that does not work out for each transaction again which peers can endorse it. The answer says whom
// to ask; whether the endorsements suffice is decided when the transaction is validated.
type briefMemory struct {
	Discovery
	now func() time.Time

	mu    sync.Mutex
	known map[descriptorKey]knownDescriptor // protected by mu
}

type descriptorKey struct{ channel, interest string }

type knownDescriptor struct {
	descriptor *dp.EndorsementDescriptor // not changed by anybody
	since      time.Time
}

// PeersForEndorsement returns an answer that is at most descriptorLife old. Failures are not kept.
func (b *briefMemory) PeersForEndorsement(channel common.ChannelID, interest *peerproto.ChaincodeInterest) (*dp.EndorsementDescriptor, error) {
	raw, err := proto.Marshal(interest)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxInterest {
		return b.Discovery.PeersForEndorsement(channel, interest)
	}
	key := descriptorKey{string(channel), string(raw)}
	now := b.now()
	if d, ok := b.lookUp(key, now); ok {
		return d, nil
	}
	d, err := b.Discovery.PeersForEndorsement(channel, interest)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil || len(b.known) >= maxDescriptors {
		b.known = map[descriptorKey]knownDescriptor{}
	}
	b.known[key] = knownDescriptor{d, now}
	return d, nil
}

func (b *briefMemory) lookUp(key descriptorKey, now time.Time) (*dp.EndorsementDescriptor, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, ok := b.known[key]
	return k.descriptor, ok && now.Sub(k.since) < descriptorLife
}
