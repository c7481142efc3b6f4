// SPDX-License-Identifier: Apache-2.0

package service

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInvalidAreNotPulled: whatever core.yaml says, no block waits for private data of a transaction that is not valid.
func TestInvalidAreNotPulled(t *testing.T) {
	gossips := startPeers(&ServiceConfig{SkipPullingInvalidTransactionsDuringCommit: false}, 1, 0)
	defer stopPeers(gossips)
	g := gossips[0].GossipService
	g.deliveryFactory = &mockDeliverServiceFactory{service: &mockDeliverService{}}
	t.Setenv("TMPDIR", t.TempDir()) // where stores have one lock, which tests of other packages take too
	store := newTransientStore(t)
	defer store.tearDown()

	// upstreams differ in what they take of orderers, which plays no part here
	initialize := reflect.ValueOf(g.InitializeChannel)
	var args []reflect.Value
	for i := range initialize.Type().NumIn() {
		args = append(args, reflect.Zero(initialize.Type().In(i)))
		for _, known := range []any{"chanA", store.Store, Support{Committer: &mockLedgerInfo{1}}} {
			if reflect.TypeOf(known) == initialize.Type().In(i) {
				args[i] = reflect.ValueOf(known)
			}
		}
	}
	initialize.Call(args)

	coordinator := reflect.ValueOf(g.privateHandlers["chanA"].coordinator).Elem()
	require.True(t, coordinator.FieldByName("skipPullingInvalidTransactions").Bool())
}
