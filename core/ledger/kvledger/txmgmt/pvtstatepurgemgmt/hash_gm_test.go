// SPDX-License-Identifier: Apache-2.0

package pvtstatepurgemgmt

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/pvtdatapolicy"
	btltestutil "github.com/hyperledger/fabric/core/ledger/pvtdatapolicy/testutil"
	"github.com/hyperledger/fabric/protoutil"
)

// buildExpirySchedule is what upstream's tests call.
func buildExpirySchedule(
	policy pvtdatapolicy.BTLPolicy, private *privacyenabledstate.PvtUpdateBatch, hashed *privacyenabledstate.HashedUpdateBatch,
) ([]*expiryInfo, error) {
	return buildExpiryScheduleOf(protoutil.HashSHA256, policy, private, hashed)
}

// TestScheduleHasKeyAndHashOnce: a private key and its hash are one entry, so the function must be that of the hashes.
func TestScheduleHasKeyAndHashOnce(t *testing.T) {
	policy := btltestutil.SampleBTLPolicy(map[[2]string]uint64{{"ns", "coll"}: 1})
	for _, f := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
		updates := privacyenabledstate.NewUpdateBatch()
		height := version.NewHeight(1, 1)
		updates.PvtUpdates.Put("ns", "coll", "key", []byte("value"), height)
		updates.HashUpdates.Put("ns", "coll", f.Sum([]byte("key")), f.Sum([]byte("value")), height)
		schedule, err := buildExpiryScheduleOf(f, policy, updates.PvtUpdates, updates.HashUpdates)
		require.NoError(t, err)
		expected := newPvtdataKeys()
		expected.add("ns", "coll", "key", f.Sum([]byte("key")))
		require.Len(t, schedule, 1)
		require.Equal(t, expected.Map, schedule[0].pvtdataKeys.Map)
	}
}

// lateData is a state database in which private data of collection coll live for two blocks. Values arrive in blocks 1 and 2, with
// their private data or without, and the rest of the private data arrive later.
type lateData struct {
	testHelper
	sum func(string) []byte
}

func (d *lateData) block(number uint64, hashed, private string) {
	d.t.Helper()
	updates, height := privacyenabledstate.NewUpdateBatch(), version.NewHeight(number, 1)
	if hashed != "" {
		updates.HashUpdates.Put("ns", "coll", d.sum("key"), d.sum(hashed), height)
	}
	if private != "" {
		updates.PvtUpdates.Put("ns", "coll", "key", []byte(private), height)
	}
	// A ledger looks for what expires with the next block as soon as it has committed one: see the end of this function.
	require.NoError(d.t, d.purgeMgr.UpdateExpiryInfo(updates.PvtUpdates, updates.HashUpdates))
	require.NoError(d.t, d.purgeMgr.AddExpiredEntriesToUpdateBatch(updates.PvtUpdates, updates.HashUpdates))
	require.NoError(d.t, d.db.ApplyPrivacyAwareUpdates(updates, height))
	require.NoError(d.t, d.purgeMgr.BlockCommitDone())
	d.purgeMgr.PrepareForExpiringKeys(number + 1)
	d.purgeMgr.WaitForPrepareToFinish()
}

func (d *lateData) arrives(number uint64, private string) {
	d.t.Helper()
	updates := privacyenabledstate.NewUpdateBatch()
	updates.PvtUpdates.Put("ns", "coll", "key", []byte(private), version.NewHeight(number, 1))
	d.commitPvtDataOfOldBlocksForTesting(updates)
}

// state compares the private value and its hash, of which each is empty if there is none.
func (d *lateData) state(hashed, private string) {
	d.t.Helper()
	found, err := d.db.GetPrivateData("ns", "coll", "key")
	require.NoError(d.t, err)
	var value string
	if found != nil {
		value = string(found.Value)
	}
	require.Equal(d.t, private, value)
	found, err = d.db.GetValueHash("ns", "coll", d.sum("key"))
	require.NoError(d.t, err)
	if hashed == "" {
		require.Nil(d.t, found)
		return
	}
	require.NotNil(d.t, found)
	require.Equal(d.t, d.sum(hashed), found.Value)
}

// TestExpiryOfLateData: a private key and its hash expire together, and a value that replaced another does not expire with it, whenever
// the private data arrive. This needs the hash of the private key to be that which stands in the schedule.
func TestExpiryOfLateData(t *testing.T) {
	for name, test := range map[string]func(d *lateData){
		"the value arrives just before it expires": func(d *lateData) {
			d.block(1, "first", "")
			d.block(2, "", "")
			d.block(3, "", "")
			d.arrives(1, "first")
			d.state("first", "first")
			d.block(4, "", "")
			d.state("", "")
		},
		"the next value arrives just before the first expires": func(d *lateData) {
			d.block(1, "first", "first")
			d.block(2, "second", "")
			d.block(3, "", "")
			d.arrives(2, "second")
			d.block(4, "", "")
			d.state("second", "second")
			d.block(5, "", "")
			d.state("", "")
		},
		"both arrive late": func(d *lateData) {
			d.block(1, "first", "")
			d.arrives(1, "first")
			d.block(2, "second", "")
			d.block(3, "", "")
			d.arrives(2, "second")
			d.block(4, "", "")
			d.state("second", "second")
			d.block(5, "", "")
			d.state("", "")
		},
	} {
		for f, sum := range map[protoutil.HashFunction]func(string) []byte{
			protoutil.HashSHA256: func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] },
			protoutil.HashSM3:    func(s string) []byte { h := sm3.Sum([]byte(s)); return h[:] },
		} {
			t.Run(name+" "+f.String(), func(t *testing.T) {
				d := &lateData{sum: sum}
				policy := btltestutil.SampleBTLPolicy(map[[2]string]uint64{{"ns", "coll"}: 2})
				d.init(t, "late", policy, &privacyenabledstate.LevelDBTestEnv{})
				defer d.cleanup()
				d.db.SetHashFunction(f)
				d.purgeMgr.PrepareForExpiringKeys(1)
				test(d)
			})
		}
	}
}
