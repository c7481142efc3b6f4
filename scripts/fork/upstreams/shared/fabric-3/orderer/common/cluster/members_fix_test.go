// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	comm_utils "github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/cluster"
)

// TestStreamWaitsForMembers: a stream does not read members while another goroutine changes them, which would end the process.
func TestStreamWaitsForMembers(t *testing.T) {
	a, remote := connected(t)
	opened := make(chan error, 1)
	a.auth.Lock.Lock()
	go func() {
		_, err := remote.GetStreamFunc(t.Context())
		opened <- err
	}()
	select {
	case <-opened:
		a.auth.Lock.Unlock()
		require.Fail(t, "members were read while they changed")
	case <-time.After(200 * time.Millisecond):
	}
	a.auth.Lock.Unlock()
	require.NoError(t, <-opened)
}

// connected returns a consenter and its connection to another.
func connected(t *testing.T) (*consenter, *cluster.RemoteContext) {
	t.Helper()
	gmCA := gmtlstest.NewCA(t)
	a, b := newConsenter(t, 1, gmCA, nil, comm_utils.ClientGM), newConsenter(t, 2, gmCA, nil, comm_utils.ClientGM)
	introduce(t, gmCA, a, b)
	remote, err := a.auth.Remote(testChannel, b.id)
	require.NoError(t, err)
	stream, err := remote.NewStream(soon)
	require.NoError(t, err)
	stream.Cancel(context.Canceled)
	return a, remote
}

// next returns the sender of the next request that arrives.
func next(t *testing.T, to *consenter) uint64 {
	t.Helper()
	select {
	case sender := <-to.arrived:
		return sender
	case <-time.After(soon):
		require.FailNow(t, "no request arrives")
		return 0
	}
}

// absentKey is a signer whose key is away.
type absentKey struct{}

func (absentKey) Sign([]byte) ([]byte, error) { return nil, errors.New("the device is away") }
func (absentKey) Serialize() ([]byte, error)  { return nil, errors.New("the device is away") }

// TestStreamThatCannotAuthenticateEnds: nothing stays of it on either side.
func TestStreamThatCannotAuthenticateEnds(t *testing.T) {
	a, remote := connected(t)
	a.auth.Signer = absentKey{}
	var of context.Context
	open := remote.GetStreamFunc
	remote.GetStreamFunc = func(ctx context.Context) (cluster.StepClientStream, error) {
		of = ctx
		return open(ctx)
	}
	_, err := remote.NewStream(soon)
	require.ErrorContains(t, err, "the device is away")
	require.Error(t, of.Err())
}

// TestReplacedIdentityEndsItsStreams: who has the key of a consenter's old identity sends nothing more over a stream that is open.
// Another consenter's stream goes on.
func TestReplacedIdentityEndsItsStreams(t *testing.T) {
	gmCA, identityCA := gmtlstest.NewCA(t), gmtlstest.NewCA(t)
	var nodes []*consenter
	for id := range uint64(3) {
		nodes = append(nodes, newConsenter(t, id+1, gmCA, identityCA, comm_utils.ClientGM))
	}
	introduce(t, gmCA, nodes...)
	var streams []*cluster.Stream
	to := nodes[2]
	for _, n := range nodes[:2] {
		remote, err := n.auth.Remote(testChannel, to.id)
		require.NoError(t, err)
		stream, err := remote.NewStream(soon)
		require.NoError(t, err)
		require.NoError(t, stream.Send(wrapSubmitReq(testReq)))
		require.Equal(t, n.id, next(t, to))
		streams = append(streams, stream)
	}
	replaced, _ := newIdentity(t, identityCA)
	require.NoError(t, to.service.ConfigureNodeCerts(testChannel, []*common.Consenter{
		{Id: 1, Identity: replaced}, {Id: 2, Identity: nodes[1].identity}, {Id: 3, Identity: to.identity},
	}))
	require.NoError(t, streams[0].Send(wrapSubmitReq(testReq)))
	_, err := streams[0].Recv()
	require.Error(t, err)
	require.NoError(t, streams[1].Send(wrapSubmitReq(testReq)))
	require.Equal(t, nodes[1].id, next(t, to))
	require.Empty(t, to.arrived)
}
