// SPDX-License-Identifier: Apache-2.0

//fork:file perf: tests of kept answers

package gateway

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	dp "github.com/hyperledger/fabric-protos-go/discovery"
	peerproto "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/stretchr/testify/require"
)

// answering is discovery whose answers are numbered.
type answering struct {
	Discovery
	mu      sync.Mutex
	answers int
	err     error
}

func (a *answering) PeersForEndorsement(channel common.ChannelID, interest *peerproto.ChaincodeInterest) (*dp.EndorsementDescriptor, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return nil, a.err
	}
	a.answers++
	return &dp.EndorsementDescriptor{Chaincode: interest.Chaincodes[0].Name + strconv.Itoa(a.answers)}, nil
}

func interestIn(chaincode string, collections ...string) *peerproto.ChaincodeInterest {
	return &peerproto.ChaincodeInterest{Chaincodes: []*peerproto.ChaincodeCall{{Name: chaincode, CollectionNames: collections}}}
}

func TestDiscoveryIsAskedOnceInAMoment(t *testing.T) {
	source, now := &answering{}, time.Unix(0, 0)
	memory := &briefMemory{Discovery: source, now: func() time.Time { return now }}
	ask := func(channel string, interest *peerproto.ChaincodeInterest) string {
		t.Helper()
		d, err := memory.PeersForEndorsement(common.ChannelID(channel), interest)
		require.NoError(t, err)
		return d.Chaincode
	}
	require.Equal(t, "a1", ask("one", interestIn("a")))
	require.Equal(t, "a1", ask("one", interestIn("a")))
	require.Equal(t, "a2", ask("two", interestIn("a")), "another channel")
	require.Equal(t, "b3", ask("one", interestIn("b")), "another chaincode")
	require.Equal(t, "a4", ask("one", interestIn("a", "private")), "another collection")
	now = now.Add(descriptorLife - 1)
	require.Equal(t, "a1", ask("one", interestIn("a")))
	now = now.Add(1)
	require.Equal(t, "a5", ask("one", interestIn("a")), "the first answer is too old")
}

func TestFailuresOfDiscoveryAreNotKept(t *testing.T) {
	source := &answering{err: errors.New("no peers")}
	memory := &briefMemory{Discovery: source, now: time.Now}
	_, err := memory.PeersForEndorsement(common.ChannelID("one"), interestIn("a"))
	require.ErrorIs(t, err, source.err)
	source.err = nil
	d, err := memory.PeersForEndorsement(common.ChannelID("one"), interestIn("a"))
	require.NoError(t, err)
	require.Equal(t, "a1", d.Chaincode)
}

func TestAnswersOfDiscoveryAreBounded(t *testing.T) {
	memory := &briefMemory{Discovery: &answering{}, now: func() time.Time { return time.Unix(0, 0) }}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 2 * maxDescriptors {
				if _, err := memory.PeersForEndorsement(common.ChannelID(strconv.Itoa(worker)), interestIn(strconv.Itoa(i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.LessOrEqual(t, len(memory.known), maxDescriptors)
	require.NotEmpty(t, memory.known)
}

// A question that a client has made long is answered, and not kept.
func TestLongQuestionsToDiscoveryAreNotKept(t *testing.T) {
	source := &answering{}
	memory := &briefMemory{Discovery: source, now: func() time.Time { return time.Unix(0, 0) }}
	for range 2 {
		_, err := memory.PeersForEndorsement(common.ChannelID("one"), interestIn(strings.Repeat("a", maxInterest)))
		require.NoError(t, err)
	}
	require.Empty(t, memory.known)
}
