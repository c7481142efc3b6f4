// SPDX-License-Identifier: Apache-2.0

package commit

import "context"

// TransactionStatus says what became of a transaction, as upstream does, and forgets what the call waited with. Upstream forgets it at
// the next block of the channel, and a client chooses how long the name of its transaction is.
//
//fork:wrap fix: each call for the status of a transaction left its name in memory until the next block, so that calls on a quiet channel filled a peer's memory
func (finder *Finder) TransactionStatus(ctx context.Context, channelName string, transactionID string) (*Status, error) {
	status, err := finder.upstreamTransactionStatus(ctx, channelName, transactionID)
	finder.notifier.forget(channelName)
	return status, err
}

// forget removes what calls that have ended waited with.
func (n *Notifier) forget(channelName string) {
	n.lock.Lock()
	waiting := n.notifiersByChannel[channelName]
	n.lock.Unlock()
	if waiting != nil {
		waiting.status.removeCompletedListeners()
	}
}
