// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"encoding/hex"
	"hash"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/pvtdatastorage"
	"github.com/hyperledger/fabric/protoutil"
)

// ledgerHash is the hash provider of one ledger. It hashes read sets and snapshots by the function of the channel, and tells the
// function to the parts of the ledger and, by package channelhash, to the rest of the peer.
type ledgerHash struct {
	ledger.HashProvider
	ledgerID     string
	stateDB      *privacyenabledstate.DB
	pvtdataStore *pvtdatastorage.Store
}

// set says the function. It is called before the ledger reads or writes a hash: when a ledger that has blocks is opened, and when the
// first block is committed.
func (h *ledgerHash) set(f protoutil.HashFunction) {
	h.stateDB.SetHashFunction(f)
	h.pvtdataStore.SetHashFunction(f)
	channelhash.Set(h.ledgerID, f)
}

// GetHash returns a computation by the function of the channel.
func (h *ledgerHash) GetHash(opts bccsp.HashOpts) (hash.Hash, error) {
	return hashBy(h.stateDB.HashFunction(), h.HashProvider, opts)
}

// hashBy leaves SHA-256 to the provider, as upstream does.
func hashBy(f protoutil.HashFunction, provider ledger.HashProvider, opts bccsp.HashOpts) (hash.Hash, error) {
	if f == protoutil.HashSHA256 {
		return provider.GetHash(opts)
	}
	return f.New(), nil
}

// newKVLedger opens a ledger. The hash of its last block, which a ledger from a snapshot has too, says the function of the channel.
//
//fork:wrap gm: a ledger hashes by the function of its channel
func newKVLedger(initializer *lgrInitializer) (*kvLedger, error) {
	h := &ledgerHash{initializer.hashProvider, initializer.ledgerID, initializer.stateDB, initializer.pvtdataStore}
	info, err := initializer.blockStore.GetBlockchainInfo()
	if err != nil {
		return nil, err
	}
	if info.Height > 0 {
		h.set(protoutil.HashFunctionOf(info.CurrentBlockHash))
	}
	initializer.hashProvider = h
	l, err := upstreamNewKVLedger(initializer)
	if err != nil {
		channelhash.Forget(initializer.ledgerID)
		return nil, err
	}
	return l, nil
}

// commit commits a block. Only a ledger without blocks takes the function from it, because upstream refuses a second first block later.
//
//fork:wrap gm: the first block says by which function a new ledger hashes
func (l *kvLedger) commit(block *ledger.BlockAndPvtData, options *ledger.CommitOptions) error {
	info, err := l.blockStore.GetBlockchainInfo()
	if err != nil {
		return err
	}
	if info.Height == 0 {
		f, err := protoutil.HashFunctionOfFirst(block.Block)
		if err != nil {
			return err
		}
		l.hashProvider.(*ledgerHash).set(f)
	}
	err = l.upstreamCommit(block, options)
	if err != nil && info.Height == 0 { // upstream takes the ledger back
		channelhash.Forget(l.ledgerID)
	}
	return err
}

// snapshotHash is the provider by which the files of a snapshot are verified before there is a ledger.
type snapshotHash struct {
	ledger.HashProvider
	function protoutil.HashFunction
}

func (h snapshotHash) GetHash(opts bccsp.HashOpts) (hash.Hash, error) {
	return hashBy(h.function, h.HashProvider, opts)
}

// verifySnapshot compares the files of a snapshot with the hashes in its metadata, and checks what upstream takes from the metadata on trust.
//
//fork:wrap gm: the hash of the last block says by which function a snapshot is hashed. Snapshots with a name that is no channel's, or with files that their metadata do not list, are refused
func verifySnapshot(dir string, metadata *SnapshotMetadata, provider ledger.HashProvider) error {
	if err := checkSnapshotNames(dir, metadata); err != nil {
		return err
	}
	last, _ := hex.DecodeString(metadata.LastBlockHashInHex) // upstream refuses what is no hexadecimal right after this
	if err := upstreamVerifySnapshot(dir, metadata, snapshotHash{provider, protoutil.HashFunctionOf(last)}); err != nil {
		return err
	}
	if err := checkSnapshotChannel(dir, metadata); err != nil {
		return err
	}
	if err := checkSnapshotHeight(dir, metadata); err != nil {
		return err
	}
	return checkSnapshotFiles(dir, metadata)
}
