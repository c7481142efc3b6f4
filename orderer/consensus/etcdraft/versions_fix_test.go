// SPDX-License-Identifier: Apache-2.0

//fork:file fix: what tests of Raft use and versions of upstream have in different forms

package etcdraft_test

import (
	"testing"
	"time"

	raftprotos "github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"go.etcd.io/etcd/raft/v3/raftpb"
)

// snapshotField is the type of a message's snapshot.
type snapshotField = raftpb.Snapshot

func toField(s raftpb.Snapshot) snapshotField { return s }

func handoverNetwork(t *testing.T, metadata *raftprotos.BlockMetadata, consenters map[uint64]*raftprotos.Consenter, provider bccsp.BCCSP, ca tlsgen.CA) *network {
	return createNetwork(10*time.Minute, "handover", t.TempDir(), metadata, consenters, provider, ca, nil)
}
