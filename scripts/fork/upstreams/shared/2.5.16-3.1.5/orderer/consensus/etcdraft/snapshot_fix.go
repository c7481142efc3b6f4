// SPDX-License-Identifier: Apache-2.0

//fork:file fix: no message that Raft does not send among honest consenters ends a consenter or halts its chain

package etcdraft

import "go.etcd.io/etcd/raft/v3/raftpb"

// snapshotOf is the snapshot of a message, nil if it has none. Versions of Raft differ in the field's type.
func snapshotOf(m *raftpb.Message) *raftpb.Snapshot { return m.Snapshot }
