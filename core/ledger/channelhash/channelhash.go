// SPDX-License-Identifier: Apache-2.0

// Package channelhash says by which function the channels of this peer hash. A ledger says it when it is opened, from the hashes of
// its blocks; code that has only the name of a channel asks here. Nothing else decides, so all parts of a peer, and all peers of a
// channel, use the same function.
package channelhash

import (
	"fmt"
	"sync"

	"github.com/hyperledger/fabric/protoutil"
)

var functions sync.Map // from the name of a channel to its protoutil.HashFunction

// Set says by which function a channel hashes. Only the channel's ledger calls it.
func Set(channel string, f protoutil.HashFunction) { functions.Store(channel, f) }

// Forget says that the ledger of a channel could not be opened or begun. Only that ledger calls it. Closing a ledger does not: a peer does
// so when it ends, and a ledger that is opened says its function before anything asks.
func Forget(channel string) { functions.Delete(channel) }

// Of returns the function of a channel. A channel whose ledger is not open has none: to guess it could part this peer from the
// others.
func Of(channel string) (protoutil.HashFunction, error) {
	f, ok := functions.Load(channel)
	if !ok {
		return 0, fmt.Errorf("the hash function of channel %q is not known, because its ledger is not open", channel)
	}
	return f.(protoutil.HashFunction), nil
}
