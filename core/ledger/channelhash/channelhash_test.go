// SPDX-License-Identifier: Apache-2.0

package channelhash

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

func TestFunctions(t *testing.T) {
	_, err := Of("trade")
	require.EqualError(t, err, `the hash function of channel "trade" is not known, because its ledger is not open`)
	Set("trade", protoutil.HashSM3)
	Set("older", protoutil.HashSHA256)
	for channel, function := range map[string]protoutil.HashFunction{"trade": protoutil.HashSM3, "older": protoutil.HashSHA256} {
		f, err := Of(channel)
		require.NoError(t, err)
		require.Equal(t, function, f)
	}
	_, err = Of("")
	require.Error(t, err)
	Forget("trade")
	_, err = Of("trade")
	require.Error(t, err)
	_, err = Of("older")
	require.NoError(t, err)
}
