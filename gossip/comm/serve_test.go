// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClosedConnectionIsMadeAgain: a peer whose end of a connection was closed is dialed for the next message, which arrives, and
// is not presumed dead. TestPresumedDead has one that is.
func TestClosedConnectionIsMadeAgain(t *testing.T) {
	dialing, port := newCommInstance(t, naiveSec)
	defer dialing.Stop()
	here := remotePeer(port)
	accepting, port := newCommInstance(t, naiveSec)
	defer accepting.Stop()
	there := remotePeer(port)
	arrived := accepting.Accept(acceptAll)
	for range 3 {
		message := createGossipMsg()
		dialing.Send(message, there)
		select {
		case m := <-arrived:
			require.Equal(t, message.Nonce, m.GetGossipMessage().Nonce)
		case dead := <-dialing.PresumedDead():
			t.Fatalf("%s is presumed dead", dead)
		case <-time.After(20 * time.Second):
			t.Fatal("the message did not arrive")
		}
		accepting.(*commGRPC).connStore.closeConnByPKIid(here.PKIID)
		require.Eventually(t, func() bool { return dialing.(*commGRPC).connStore.connNum() == 0 }, 20*time.Second, time.Millisecond,
			"the connection is still in the store")
	}
}
