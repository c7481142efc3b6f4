// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/core/ledger/ledgermgmt"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// overSM3 has the test make ledgers that hash with SM3.
func overSM3(t *testing.T) {
	ledgersHashWith = protoutil.HashSM3
	t.Cleanup(func() { ledgersHashWith = protoutil.HashSHA256 })
}

// TestUpstreamOverSM3 runs upstream's tests of private data, purging, reconciliation, snapshots, rebuild, reset and rollback over
// ledgers that hash with SM3. They fail if two parts of a ledger hash by different functions.
func TestUpstreamOverSM3(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"TestReadWriteCustomTxProcessor":         TestReadWriteCustomTxProcessor,
		"TestRangeReadAndWriteCustomTxProcessor": TestRangeReadAndWriteCustomTxProcessor,
		"TestLedgerAPIs":                         TestLedgerAPIs,
		"TestGetMissingPvtData":                  TestGetMissingPvtData,
		"TestMissingCollConfig":                  TestMissingCollConfig,
		"TestTxWithMissingPvtdata":               TestTxWithMissingPvtdata,
		"TestTxWithWrongPvtdata":                 TestTxWithWrongPvtdata,
		"TestBTL":                                TestBTL,
		"TestAppInitiatedPrivateDataPurge":       TestAppInitiatedPrivateDataPurge,
		"TestReconciliationAfterKeyPurge":        TestReconciliationAfterKeyPurge,
		"TestRebuildComponentsWithBTL":           TestRebuildComponentsWithBTL,
		"TestResetAllLedgersWithBTL":             TestResetAllLedgersWithBTL,
		"TestRollbackKVLedgerWithBTL":            TestRollbackKVLedgerWithBTL,
	} {
		t.Run(name, func(t *testing.T) {
			overSM3(t)
			test(t)
		})
	}
}

type hashCase struct {
	function protoutil.HashFunction
	sum      func(string) []byte // by another way than the code under test
	empty    string              // what openssl prints for no bytes
}

var hashCases = []hashCase{
	{protoutil.HashSHA256, func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{protoutil.HashSM3, func(s string) []byte { h := sm3.Sum([]byte(s)); return h[:] }, "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"},
}

// forBoth runs the test over a ledger of each kind that has chaincode cc1 with collections coll1 and brief.
func forBoth(t *testing.T, test func(t *testing.T, c hashCase, env *env, l *testLedger)) {
	forBothWith(t, nil, test)
}

// forBothWith is forBoth with listeners for changes of state.
func forBothWith(t *testing.T, listeners []ledger.StateListener, test func(t *testing.T, c hashCase, env *env, l *testLedger)) {
	for _, c := range hashCases {
		t.Run(c.function.String(), func(t *testing.T) {
			if c.function == protoutil.HashSM3 {
				overSM3(t)
			}
			env := newEnvWithInitializer(t, &ledgermgmt.Initializer{
				MembershipInfoProvider: &membershipInfoProvider{myOrgMSPID: "org1"}, StateListeners: listeners,
			})
			defer env.cleanup()
			env.initLedgerMgmt()
			l := env.createTestLedgerFromGenesisBlk("ledger1")
			l.simulateDeployTx("cc1", []*collConf{{name: "coll1", members: []string{"org1"}}, {name: "brief", btl: 3, members: []string{"org1"}}})
			l.cutBlockAndCommitLegacy()
			test(t, c, env, l)
		})
	}
}

// hashesOf returns what a transaction says of coll1 in public, and its private writes.
func hashesOf(t *testing.T, l *testLedger, work func(s *simulator)) (*rwset.CollectionHashedReadWriteSet, *kvrwset.HashedRWSet, []byte) {
	tx := l.simulateDataTx("", work)
	action, err := protoutil.GetActionFromEnvelopeMsg(tx.Envelope)
	require.NoError(t, err)
	public, hashed := &rwset.TxReadWriteSet{}, &kvrwset.HashedRWSet{}
	require.NoError(t, proto.Unmarshal(action.Results, public))
	for _, ns := range public.NsRwset {
		if len(ns.CollectionHashedRwset) == 0 {
			continue
		}
		collection := ns.CollectionHashedRwset[0]
		require.NoError(t, proto.Unmarshal(collection.HashedRwset, hashed))
		if tx.Pvtws == nil {
			return collection, hashed, nil
		}
		return collection, hashed, tx.Pvtws.NsPvtRwset[0].CollectionPvtRwset[0].Rwset
	}
	t.Fatal("no private data")
	return nil, nil, nil
}

// TestHashesOfPrivateData compares each hash in a transaction, and what peers answer about it, with the function of the channel.
func TestHashesOfPrivateData(t *testing.T) {
	forBoth(t, func(t *testing.T, c hashCase, env *env, l *testLedger) {
		require.Equal(t, c.empty, hex.EncodeToString(c.sum("")))
		collection, hashed, private := hashesOf(t, l, func(s *simulator) { s.setPvtdata("cc1", "coll1", "key", "value") })
		require.Equal(t, c.sum("key"), hashed.HashedWrites[0].KeyHash)
		require.Equal(t, c.sum("value"), hashed.HashedWrites[0].ValueHash)
		require.Equal(t, c.sum(string(private)), collection.PvtRwsetHash)
		l.cutBlockAndCommitLegacy()
		l.verifyPvtdataHashState("cc1", "coll1", "key", c.sum("value"))

		// Metadata are found by the hash of the key, and a change of them alone leaves the value current.
		metadata := map[string][]byte{"owner": []byte("ida")}
		_, hashed, _ = hashesOf(t, l, func(s *simulator) {
			_, err := s.GetPrivateData("cc1", "coll1", "key")
			require.NoError(t, err)
			require.NoError(t, s.SetPrivateDataMetadata("cc1", "coll1", "key", metadata))
		})
		require.Equal(t, c.sum("key"), hashed.HashedReads[0].KeyHash)
		require.Equal(t, c.sum("key"), hashed.MetadataWrites[0].KeyHash)
		l.cutBlockAndCommitLegacy()
		l.verifyPvtState("cc1", "coll1", "key", "value")
		qe, err := l.lgr.NewQueryExecutor()
		require.NoError(t, err)
		defer qe.Done()
		for _, get := range []func() (map[string][]byte, error){
			func() (map[string][]byte, error) { return qe.GetPrivateDataMetadata("cc1", "coll1", "key") },
			func() (map[string][]byte, error) {
				return qe.GetPrivateDataMetadataByHash("cc1", "coll1", c.sum("key"))
			},
		} {
			got, err := get()
			require.NoError(t, err)
			require.Equal(t, metadata, got)
		}
		simulation, err := l.lgr.NewTxSimulator("ask")
		require.NoError(t, err)
		defer simulation.Done()
		require.NoError(t, simulation.SetPrivateData("cc1", "coll1", "key", []byte("next")))
		results, err := simulation.GetTxSimulationResults()
		require.NoError(t, err)
		require.Equal(t, metadata, map[string][]byte(results.WritesetMetadata["cc1"]["coll1"]["key"]), "the simulator did not find who must endorse")

		_, hashed, _ = hashesOf(t, l, func(s *simulator) { s.purgePvtdata("cc1", "coll1", "key") })
		require.Equal(t, c.sum("key"), hashed.HashedWrites[0].KeyHash)
	})
}

// missing commits a block that lacks the private data of the transaction, and returns them.
func missing(l *testLedger, work func(s *simulator)) *ledger.ReconciledPvtdata {
	tx := l.simulateDataTx("", work)
	late := proto.Clone(tx.Pvtws).(*rwset.TxPvtReadWriteSet)
	l.causeMissingPvtData(0)
	block := l.cutBlockAndCommitLegacy()
	return &ledger.ReconciledPvtdata{
		BlockNum: block.Block.Header.Number, WriteSets: ledger.TxPvtDataMap{0: &ledger.TxPvtData{WriteSet: late}},
	}
}

// TestReconciledPrivateData gives a ledger what it lacked: it takes what fits the hashes, and nothing else.
func TestReconciledPrivateData(t *testing.T) {
	forBoth(t, func(t *testing.T, c hashCase, env *env, l *testLedger) {
		absent := func(key string) {
			t.Helper()
			qe, err := l.lgr.NewQueryExecutor()
			require.NoError(t, err)
			defer qe.Done()
			_, err = qe.GetPrivateData("cc1", "coll1", key)
			require.ErrorContains(t, err, "private data matching public hash version is not available")
		}
		reconcile := func(data *ledger.ReconciledPvtdata) {
			t.Helper()
			_, err := l.commitPvtDataOfOldBlocks([]*ledger.ReconciledPvtdata{data}, nil)
			require.NoError(t, err)
		}
		late := missing(l, func(s *simulator) { s.setPvtdata("cc1", "coll1", "plain", "value") })
		wrong := *late
		forged := l.simulateDataTx("", func(s *simulator) { s.setPvtdata("cc1", "coll1", "plain", "forged") })
		l.discardSimulation()
		wrong.WriteSets = ledger.TxPvtDataMap{0: &ledger.TxPvtData{WriteSet: forged.Pvtws}}
		reconcile(&wrong)
		absent("plain")
		reconcile(late)
		l.verifyPvtState("cc1", "coll1", "plain", "value")

		// The version in public has changed since, and the value has not.
		late = missing(l, func(s *simulator) { s.setPvtdata("cc1", "coll1", "described", "value") })
		l.simulateDataTx("", func(s *simulator) {
			require.NoError(t, s.SetPrivateDataMetadata("cc1", "coll1", "described", map[string][]byte{"a": []byte("b")}))
		})
		l.cutBlockAndCommitLegacy()
		reconcile(late)
		l.verifyPvtState("cc1", "coll1", "described", "value")

		// One key of the write set has been purged: each of the others is compared by itself.
		late = missing(l, func(s *simulator) {
			s.setPvtdata("cc1", "coll1", "purged", "value")
			s.setPvtdata("cc1", "coll1", "kept", "value")
		})
		l.simulateDataTx("", func(s *simulator) { s.purgePvtdata("cc1", "coll1", "purged") })
		l.cutBlockAndCommitLegacy()
		reconcile(late)
		l.verifyPvtState("cc1", "coll1", "kept", "value")
		l.verifyPvtState("cc1", "coll1", "purged", "")

		// What was reconciled is found by the hash of its key when it is purged.
		l.simulateDataTx("", func(s *simulator) { s.purgePvtdata("cc1", "coll1", "kept") })
		l.cutBlockAndCommitLegacy()
		l.verifyPvtState("cc1", "coll1", "kept", "")
		l.verifyBlockAndPvtData(late.BlockNum, nil, func(r *retrievedBlockAndPvtdata) { r.pvtdataShouldNotContainKey("cc1", "coll1", "kept") })

		// What came late expires with its hash.
		late = missing(l, func(s *simulator) { s.setPvtdata("cc1", "brief", "key", "value") })
		reconcile(late)
		l.verifyPvtState("cc1", "brief", "key", "value")
		for i := range 4 {
			l.simulateDataTx("", func(s *simulator) { s.setState("cc1", fmt.Sprint(i), "x") })
			l.cutBlockAndCommitLegacy()
		}
		l.verifyPvtdataHashState("cc1", "brief", "key", nil)
		l.verifyPvtState("cc1", "brief", "key", "")
	})
}

// hashReader is a listener that looks up the hash of a private value while a block is committed, as the lifecycle of chaincodes does.
type hashReader struct {
	before, after [][]byte // by each change of cc1, what the state has and what it will have
	refuses       error    // what the ledger learns when it is opened
}

func (*hashReader) Name() string                                          { return "reader of hashes" }
func (r *hashReader) Initialize(string, ledger.SimpleQueryExecutor) error { return r.refuses }
func (*hashReader) InterestedInNamespaces() []string                      { return []string{"cc1"} }
func (*hashReader) StateCommitDone(string)                                {}

func (r *hashReader) HandleStateUpdates(trigger *ledger.StateUpdateTrigger) error {
	before, err := trigger.CommittedStateQueryExecutor.GetPrivateDataHash("cc1", "coll1", "key")
	if err != nil {
		return err
	}
	after, err := trigger.PostCommitQueryExecutor.GetPrivateDataHash("cc1", "coll1", "key")
	r.before, r.after = append(r.before, before), append(r.after, after)
	return err
}

// TestHashesThatListenersFind: a listener finds the private data of the block that is committed by the function of the channel.
func TestHashesThatListenersFind(t *testing.T) {
	listener := &hashReader{}
	forBothWith(t, []ledger.StateListener{listener}, func(t *testing.T, c hashCase, env *env, l *testLedger) {
		*listener = hashReader{}
		for _, value := range []string{"first", "second"} {
			l.simulateDataTx("", func(s *simulator) { s.setPvtdata("cc1", "coll1", "key", value) })
			l.cutBlockAndCommitLegacy()
		}
		require.Equal(t, [][]byte{nil, c.sum("first")}, listener.before)
		require.Equal(t, [][]byte{c.sum("first"), c.sum("second")}, listener.after)
	})
}

// TestEmptyPrivateValue: a write of an empty value, known by its hash, deletes. The hash is that of the channel's function alone.
func TestEmptyPrivateValue(t *testing.T) {
	forBoth(t, func(t *testing.T, c hashCase, env *env, l *testLedger) {
		for _, with := range hashCases {
			l.simulateDataTx("", func(s *simulator) { s.setPvtdata("cc1", "coll1", "key", "value") })
			l.cutBlockAndCommitLegacy()
			tx := l.simulateDataTx("", func(s *simulator) { s.setPvtdata("cc1", "coll1", "key", "other") })
			l.discardSimulation()
			action, err := protoutil.GetActionFromEnvelopeMsg(tx.Envelope)
			require.NoError(t, err)
			public, hashed := &rwset.TxReadWriteSet{}, &kvrwset.HashedRWSet{}
			require.NoError(t, proto.Unmarshal(action.Results, public))
			collection := public.NsRwset[0].CollectionHashedRwset[0]
			require.NoError(t, proto.Unmarshal(collection.HashedRwset, hashed))
			hashed.HashedWrites[0].ValueHash = with.sum("")
			collection.HashedRwset = protoutil.MarshalOrPanic(hashed)
			tx.Envelope, err = constructTransaction("made with "+with.function.String(), protoutil.MarshalOrPanic(public))
			require.NoError(t, err)
			tx.Pvtws = nil
			l.submitHandCraftedTx(tx)
			l.cutBlockAndCommitLegacy()
			expected := with.sum("")
			if with.function == c.function {
				expected = nil
			}
			l.verifyPvtdataHashState("cc1", "coll1", "key", expected)
		}
	})
}

// TestRangeQueryHashes: the tree over the results of a large query is made by the function of the channel, by endorsers and by
// validators.
func TestRangeQueryHashes(t *testing.T) {
	forBoth(t, func(t *testing.T, c hashCase, env *env, l *testLedger) {
		l.simulateDataTx("", func(s *simulator) {
			for i := range 200 {
				s.setState("cc1", fmt.Sprintf("key%03d", i), "value")
			}
		})
		block := l.cutBlockAndCommitLegacy().Block.Header.Number
		query := func(id string) {
			l.simulateDataTx(id, func(s *simulator) {
				results, err := s.GetStateRangeScanIterator("cc1", "key", "kez")
				require.NoError(t, err)
				for {
					result, err := results.Next()
					require.NoError(t, err)
					if result == nil {
						break
					}
				}
				s.setState("cc1", "seen by "+id, "x")
			})
		}
		query("unchanged")
		action, err := protoutil.GetActionFromEnvelopeMsg(l.simulatedTrans[0].Envelope)
		require.NoError(t, err)
		public := &rwsetutil.TxRwSet{}
		require.NoError(t, public.FromProtoBytes(action.Results))
		tree, err := rwsetutil.NewRangeQueryResultsHelper(true, 50, func(data []byte) ([]byte, error) { return c.sum(string(data)), nil })
		require.NoError(t, err)
		for i := range 200 {
			read := &kvrwset.KVRead{Key: fmt.Sprintf("key%03d", i), Version: &kvrwset.Version{BlockNum: block}}
			require.NoError(t, tree.AddResult(read))
		}
		_, summary, err := tree.Done()
		require.NoError(t, err)
		require.True(t, proto.Equal(summary, public.NsRwSets[0].KvRwSet.RangeQueriesInfo[0].GetReadsMerkleHashes()))
		l.cutBlockAndCommitLegacy()
		l.verifyTxValidationCode("unchanged", peer.TxValidationCode_VALID)

		l.simulateDataTx("phantom", func(s *simulator) { s.setState("cc1", "key100a", "x") })
		query("changed")
		l.cutBlockAndCommitLegacy()
		l.verifyTxValidationCode("changed", peer.TxValidationCode_PHANTOM_READ_CONFLICT)
	})
}

// TestFunctionOfReopenedLedger: the function is known from the first block, after a restart, and from a snapshot.
func TestFunctionOfReopenedLedger(t *testing.T) {
	forBoth(t, func(t *testing.T, c hashCase, env *env, l *testLedger) {
		known := func() {
			t.Helper()
			f, err := channelhash.Of("ledger1")
			require.NoError(t, err)
			require.Equal(t, c.function, f)
		}
		forget := func() { // as if the process had ended
			channelhash.Set("ledger1", 255)
		}
		known()
		tx := l.simulateDataTx("", func(s *simulator) { s.setPvtdata("cc1", "coll1", "key", "value") })
		block := l.cutBlockAndCommitLegacy()
		snapshot := l.generateSnapshot()
		requireSnapshotHashes(t, c, snapshot)
		env.closeLedgerMgmt()
		forget()
		env.initLedgerMgmt()
		l = env.openTestLedger("ledger1")
		known()
		l.verifyPvtdataHashState("cc1", "coll1", "key", c.sum("value"))
		l.verifyPvtState("cc1", "coll1", "key", "value")

		forget()
		other := newEnvWithInitializer(t, &ledgermgmt.Initializer{MembershipInfoProvider: &membershipInfoProvider{myOrgMSPID: "org1"}})
		defer other.cleanup()
		other.initLedgerMgmt()
		l = other.createTestLedgerFromSnapshot(snapshot)
		known()
		l.verifyPvtdataHashState("cc1", "coll1", "key", c.sum("value"))
		late := &ledger.ReconciledPvtdata{
			BlockNum: block.Block.Header.Number, WriteSets: ledger.TxPvtDataMap{0: &ledger.TxPvtData{WriteSet: tx.Pvtws}},
		}
		_, err := l.commitPvtDataOfOldBlocks([]*ledger.ReconciledPvtdata{late}, nil)
		require.NoError(t, err)
		l.verifyPvtState("cc1", "coll1", "key", "value")
		l.simulateDataTx("", func(s *simulator) { s.setPvtdata("cc1", "coll1", "key", "next") })
		l.cutBlockAndCommitLegacy()
		l.verifyPvtdataHashState("cc1", "coll1", "key", c.sum("next"))
		other.closeLedgerMgmt()
		forget()
		other.initLedgerMgmt()
		l = other.openTestLedger("ledger1")
		known()
		l.verifyPvtdataHashState("cc1", "coll1", "key", c.sum("next"))
	})
}

// requireSnapshotHashes compares the files of a snapshot with the hashes that its metadata have.
func requireSnapshotHashes(t *testing.T, c hashCase, dir string) {
	t.Helper()
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(content)
	}
	var signable struct {
		Hashes map[string]string `json:"snapshot_files_raw_hashes"`
	}
	var additional struct {
		Hash string `json:"snapshot_hash"`
	}
	signed := read("_snapshot_signable_metadata.json")
	require.NoError(t, json.Unmarshal([]byte(signed), &signable))
	require.NoError(t, json.Unmarshal([]byte(read("_snapshot_additional_metadata.json")), &additional))
	require.Equal(t, hex.EncodeToString(c.sum(signed)), additional.Hash)
	require.NotEmpty(t, signable.Hashes)
	for name, hash := range signable.Hashes {
		require.Equal(t, hex.EncodeToString(c.sum(read(name))), hash, name)
	}
}

// refusal is a processor of transactions that refuses them.
type refusal struct{ error }

func (r refusal) GenerateSimulationResults(*common.Envelope, ledger.TxSimulator, bool) error {
	return r.error
}

// TestFunctionOfFailedLedger: a ledger that cannot be begun or opened has no function. A channel of the same name may then begin with
// another one.
func TestFunctionOfFailedLedger(t *testing.T) {
	unknown := func(t *testing.T, channel string) {
		t.Helper()
		_, err := channelhash.Of(channel)
		require.ErrorContains(t, err, fmt.Sprintf("the hash function of channel %q is not known", channel))
	}
	processors := map[common.HeaderType]ledger.CustomTxProcessor{}
	listener := &hashReader{}
	env := newEnvWithInitializer(t, &ledgermgmt.Initializer{CustomTxProcessors: processors, StateListeners: []ledger.StateListener{listener}})
	defer env.cleanup()
	env.initLedgerMgmt()
	for i, c := range hashCases {
		t.Run(c.function.String(), func(t *testing.T) {
			t.Cleanup(func() { ledgersHashWith = protoutil.HashSHA256 })
			channel := fmt.Sprintf("failing%d", i)
			create := func(f protoutil.HashFunction) error {
				ledgersHashWith = f
				block, err := constructTestGenesisBlock(channel)
				require.NoError(t, err)
				_, err = env.ledgerMgr.CreateLedger(channel, block)
				return err
			}
			processors[common.HeaderType_CONFIG] = refusal{errors.New("not this one")}
			require.ErrorContains(t, create(c.function), "not this one")
			unknown(t, channel)
			delete(processors, common.HeaderType_CONFIG)
			other := hashCases[1-i].function
			require.NoError(t, create(other))
			f, err := channelhash.Of(channel)
			require.NoError(t, err)
			require.Equal(t, other, f)

			env.closeLedgerMgmt()
			env.initLedgerMgmt()
			listener.refuses = errors.New("not now")
			_, err = env.ledgerMgr.OpenLedger(channel)
			require.ErrorContains(t, err, "not now")
			unknown(t, channel)
			listener.refuses = nil
		})
	}
}

// TestContradictingFirstBlock: a ledger does not begin with a block whose data are hashed by another function than it names.
func TestContradictingFirstBlock(t *testing.T) {
	env := newEnv(t)
	defer env.cleanup()
	env.initLedgerMgmt()
	overSM3(t)
	block, err := constructTestGenesisBlock("contradicting")
	require.NoError(t, err)
	sum := sha256.Sum256(block.Data.Data[0])
	block.Header.DataHash = sum[:]
	_, err = env.ledgerMgr.CreateLedger("contradicting", block)
	require.ErrorContains(t, err, "the first block names SM3, and its data are hashed with SHA-256")
	_, err = channelhash.Of("contradicting")
	require.ErrorContains(t, err, `the hash function of channel "contradicting" is not known`)
}

// TestSecondFirstBlock: a ledger that has blocks refuses another first block, and keeps its function.
func TestSecondFirstBlock(t *testing.T) {
	forBoth(t, func(t *testing.T, c hashCase, env *env, l *testLedger) {
		for _, other := range hashCases {
			ledgersHashWith = other.function
			block, err := constructTestGenesisBlock("ledger1")
			require.NoError(t, err)
			require.Error(t, l.lgr.CommitLegacy(&ledger.BlockAndPvtData{Block: block}, &ledger.CommitOptions{}))
			f, err := channelhash.Of("ledger1")
			require.NoError(t, err)
			require.Equal(t, c.function, f)
		}
		ledgersHashWith = c.function
	})
}
