// SPDX-License-Identifier: Apache-2.0

package commit

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/internal/pkg/gateway/ledger/mocks"
	"github.com/stretchr/testify/require"
)

// Nothing stays of calls that have ended, also while no block comes, and calls that wait are kept.
func TestEndedCallsAreForgotten(t *testing.T) {
	ledger, provider := &mocks.Ledger{}, &mocks.Provider{}
	provider.LedgerReturns(ledger, nil)
	ledger.GetTxValidationCodeByTxIDReturns(0, 0, errors.New("not found"))
	notifier := NewNotifier(provider)
	defer notifier.close()
	finder := NewFinder(provider, notifier)
	waiting := func() []string {
		status := notifier.notifiersByChannel["channel"].status
		status.lock.Lock()
		defer status.lock.Unlock()
		var names []string
		for name := range status.listenersByTxID {
			names = append(names, name)
		}
		return names
	}
	other, err := notifier.notifyStatus(make(chan struct{}), "channel", "waits")
	require.NoError(t, err)

	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for i := range 20 {
		_, err := finder.TransactionStatus(gone, "channel", strconv.Itoa(i))
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Equal(t, []string{"waits"}, waiting(), "calls whose clients went")

	ledger.GetTxValidationCodeByTxIDReturns(peer.TxValidationCode_VALID, 1, nil)
	_, err = finder.TransactionStatus(context.Background(), "channel", "committed")
	require.NoError(t, err)
	require.Equal(t, []string{"waits"}, waiting(), "a call that was answered at once")

	provider.LedgerReturns(nil, errors.New("no such channel"))
	_, err = finder.TransactionStatus(context.Background(), "elsewhere", "tx")
	require.ErrorContains(t, err, "no such channel")
	require.Empty(t, other, "who waits is told nothing")
}
