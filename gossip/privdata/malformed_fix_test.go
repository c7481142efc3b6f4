// SPDX-License-Identifier: Apache-2.0

package privdata_test

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/common/channelconfig"
	configtxtest "github.com/hyperledger/fabric/common/configtx/test"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/common/semaphore"
	"github.com/hyperledger/fabric/core/chaincode/implicitcollection"
	"github.com/hyperledger/fabric/core/committer"
	"github.com/hyperledger/fabric/core/committer/txvalidator"
	"github.com/hyperledger/fabric/core/committer/txvalidator/plugin"
	txvalidatorv14 "github.com/hyperledger/fabric/core/committer/txvalidator/v14"
	txvalidatorv20 "github.com/hyperledger/fabric/core/committer/txvalidator/v20"
	"github.com/hyperledger/fabric/core/common/ccprovider"
	collections "github.com/hyperledger/fabric/core/common/privdata"
	"github.com/hyperledger/fabric/core/handlers/validation/api/state"
	"github.com/hyperledger/fabric/core/handlers/validation/builtin"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/core/ledger/ledgermgmt"
	"github.com/hyperledger/fabric/core/ledger/ledgermgmt/ledgermgmttest"
	"github.com/hyperledger/fabric/core/ledger/mock"
	support "github.com/hyperledger/fabric/core/mocks/txvalidator"
	"github.com/hyperledger/fabric/core/transientstore"
	gossipmetrics "github.com/hyperledger/fabric/gossip/metrics"
	"github.com/hyperledger/fabric/gossip/privdata"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/hyperledger/fabric/internal/pkg/txflags"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/msp/mgmt"
	msptesttools "github.com/hyperledger/fabric/msp/mgmt/testtools"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/pkg/errors"
)

const channelName = "testchannelid" // of msptesttools

const (
	valid     = peer.TxValidationCode_VALID
	malformed = peer.TxValidationCode_INVALID_ENDORSER_TRANSACTION
	unwilling = peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE
	again     = peer.TxValidationCode_DUPLICATE_TXID
)

// capabilities of a channel with the validator of 1.4 or of 2.
type capabilities struct {
	channelconfig.ApplicationCapabilities
	v20 bool
}

func (capabilities) PrivateChannelData() bool         { return true }
func (capabilities) CollectionUpgrade() bool          { return true }
func (capabilities) KeyLevelEndorsement() bool        { return true }
func (capabilities) ForbidDuplicateTXIdInBlock() bool { return true }
func (capabilities) StorePvtDataOfInvalidTx() bool    { return true }
func (capabilities) V1_1Validation() bool             { return true }
func (capabilities) V1_2Validation() bool             { return true }
func (capabilities) V1_3Validation() bool             { return true }
func (c capabilities) V2_0Validation() bool           { return c.v20 }

// definitions has three chaincodes: everybody may endorse "open" and "other", nobody "closed". "open" has a collection, one that is no use, and
// an implicit one for each name, as chaincode of the new lifecycle.
type definitions struct {
	mock.DeployedChaincodeInfoProvider
	asked sync.Map // names of collections
}

func policy(chaincode string) *common.SignaturePolicyEnvelope {
	switch chaincode {
	case "open", "other":
		return policydsl.SignedByAnyMember([]string{"SampleOrg"})
	case "closed":
		return policydsl.SignedByAnyMember([]string{"Nobody"})
	}
	return nil
}

func (*definitions) ValidationInfo(_, chaincode string, _ ledger.SimpleQueryExecutor) (string, []byte, error, error) {
	p := policy(chaincode)
	if p == nil {
		return "", nil, nil, errors.New("there is no such chaincode")
	}
	return "vscc", protoutil.MarshalOrPanic(&peer.ApplicationPolicy{Type: &peer.ApplicationPolicy_SignaturePolicy{SignaturePolicy: p}}), nil, nil
}

func (d *definitions) CollectionValidationInfo(chaincode, collection string, _ validation.State) ([]byte, error, error) {
	if c, _ := d.CollectionInfo("", chaincode, collection, nil); c == nil {
		return nil, nil, errors.New("there is no such collection")
	}
	return nil, nil, nil
}

func (d *definitions) CollectionInfo(_, chaincode, collection string, _ ledger.SimpleQueryExecutor) (*peer.StaticCollectionConfig, error) {
	d.asked.Store(collection, true)
	if implicit, id := implicitcollection.MspIDIfImplicitCollection(collection); implicit && chaincode == "open" {
		members := &peer.CollectionPolicyConfig_SignaturePolicy{SignaturePolicy: policydsl.SignedByMspMember(id)}
		return &peer.StaticCollectionConfig{Name: collection, MemberOrgsPolicy: &peer.CollectionPolicyConfig{Payload: members}}, nil
	}
	if chaincode != "open" || collection != "coll" && collection != "unreadable" {
		return nil, nil
	}
	if collection == "unreadable" {
		return &peer.StaticCollectionConfig{Name: collection}, nil // without a policy
	}
	members := &peer.CollectionPolicyConfig_SignaturePolicy{SignaturePolicy: policy("open")}
	return &peer.StaticCollectionConfig{Name: collection, MemberOrgsPolicy: &peer.CollectionPolicyConfig{Payload: members}}, nil
}

func (d *definitions) AllCollectionsConfigPkg(channel, chaincode string, _ ledger.SimpleQueryExecutor) (*peer.CollectionConfigPackage, error) {
	c, _ := d.CollectionInfo(channel, chaincode, "coll", nil)
	if c == nil {
		return nil, nil
	}
	return &peer.CollectionConfigPackage{Config: []*peer.CollectionConfig{{Payload: &peer.CollectionConfig_StaticCollectionConfig{StaticCollectionConfig: c}}}}, nil
}

func (d *definitions) ChaincodeInfo(channel, chaincode string, _ ledger.SimpleQueryExecutor) (*ledger.DeployedChaincodeInfo, error) {
	if policy(chaincode) == nil {
		return nil, nil
	}
	pkg, err := d.AllCollectionsConfigPkg(channel, chaincode, nil)
	return &ledger.DeployedChaincodeInfo{Name: chaincode, Version: "1", ExplicitCollectionConfigPkg: pkg}, err
}

type noPolicies struct{} // of the configuration: definitions refer to none

func (m noPolicies) Manager(string) policies.Manager { return noPolicy{} }

type noPolicy struct{}

func (noPolicy) GetPolicy(string) (policies.Policy, bool)  { return nil, false }
func (noPolicy) Manager([]string) (policies.Manager, bool) { return nil, false }

type noDissemination struct{}

func (noDissemination) Capabilities() channelconfig.ApplicationCapabilities { return capabilities{} }

// committing is a peer of a channel: from the arrival of a block to its commit everything but the definitions is as in a node.
type committing struct {
	t      *testing.T
	ledger ledger.PeerLedger
	stores privdata.Coordinator
	// storing returns the part of the peer that stores blocks.
	storing func(to committer.Committer) privdata.Coordinator
	signer  msp.SigningIdentity
	defined *definitions
	// private are data that arrive with each block.
	private util.PvtDataCollections
}

func newCommitting(t *testing.T, v20 bool) *committing {
	require.NoError(t, msptesttools.LoadMSPSetupForTesting())
	csp := factory.GetDefault()
	signer, err := mgmt.GetLocalMSP(csp).GetDefaultSigningIdentity()
	require.NoError(t, err)
	defined := &definitions{}
	initializer := ledgermgmttest.NewInitializer(t.TempDir())
	initializer.DeployedChaincodeInfoProvider = defined
	initializer.Config.HistoryDBConfig.Enabled = true
	manager := ledgermgmt.NewLedgerMgr(initializer)
	t.Cleanup(manager.Close)
	genesis, err := configtxtest.MakeGenesisBlock(channelName)
	require.NoError(t, err)
	l, err := manager.CreateLedger(channelName, genesis)
	require.NoError(t, err)

	channel := &support.Support{LedgerVal: l, MSPManagerVal: mgmt.GetManagerForChain(channelName), ACVal: capabilities{v20: v20}}
	plugins := plugin.MapBasedMapper{"vscc": &builtin.DefaultValidationFactory{}}
	var validator txvalidator.Validator = txvalidatorv14.NewTxValidator(channelName, semaphore.New(2), channel, plugins, csp)
	if v20 {
		validator = txvalidatorv20.NewTxValidator(channelName, semaphore.New(2), channel, l, defined, defined, plugins, noPolicies{}, csp)
	}
	deserializers := func(string) msp.IdentityDeserializer { return mgmt.GetManagerForChain(channelName) }
	transient, err := transientstore.NewStoreProvider(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(transient.Close)
	store, err := transient.OpenStore(channelName)
	require.NoError(t, err)
	c := &committing{t: t, ledger: l, signer: signer, defined: defined}
	c.storing = func(to committer.Committer) privdata.Coordinator {
		return privdata.NewCoordinator("SampleOrg", privdata.Support{
			ChainID: channelName, Validator: validator, Committer: to, CapabilityProvider: noDissemination{},
			CollectionStore: collections.NewSimpleCollectionStore(l, defined, collections.IdentityDeserializerFactoryFunc(deserializers)),
		}, store, protoutil.SignedData{}, gossipmetrics.NewGossipMetrics(&disabled.Provider{}).PrivdataMetrics,
			privdata.CoordinatorConfig{TransientBlockRetention: 100}, collections.IdentityDeserializerFactoryFunc(deserializers))
	}
	c.stores = c.storing(committer.NewLedgerCommitter(l))
	c.define("open", "other", "closed")
	return c
}

// define commits the definitions of chaincodes that the validator of 1.4 reads.
func (c *committing) define(chaincodes ...string) {
	block := c.block(c.transaction("lscc", results(func(b *rwsetutil.RWSetBuilder) {
		for _, chaincode := range chaincodes {
			b.AddToWriteSet("lscc", chaincode, protoutil.MarshalOrPanic(&ccprovider.ChaincodeData{
				Name: chaincode, Version: "1", Vscc: "vscc", Policy: protoutil.MarshalOrPanic(policy(chaincode)),
			}))
		}
	})))
	protoutil.InitBlockMetadata(block)
	block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = txflags.NewWithValues(1, valid)
	require.NoError(c.t, c.ledger.CommitLegacy(&ledger.BlockAndPvtData{Block: block}, &ledger.CommitOptions{}))
}

func (c *committing) block(transactions ...[]byte) *common.Block {
	info, err := c.ledger.GetBlockchainInfo()
	require.NoError(c.t, err)
	block := protoutil.NewBlock(info.Height, info.CurrentBlockHash)
	block.Data.Data = transactions
	block.Header.DataHash = protoutil.ChannelDataHash(block.Header, block.Data)
	return block
}

// commits stores a block within a bound of time, and demands these verdicts.
func (c *committing) commits(verdicts []peer.TxValidationCode, transactions ...[]byte) {
	block := c.block(transactions...)
	stored := make(chan error, 1)
	go func() { stored <- c.stores.StoreBlock(block, c.private) }()
	select {
	case err := <-stored:
		require.NoError(c.t, err)
	case <-time.After(20 * time.Second):
		require.FailNow(c.t, "the peer hangs at this block")
	}
	var have []peer.TxValidationCode
	for _, flag := range block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] {
		have = append(have, peer.TxValidationCode(flag))
	}
	require.Equal(c.t, verdicts, have)
	info, err := c.ledger.GetBlockchainInfo()
	require.NoError(c.t, err)
	require.Equal(c.t, block.Header.Number+1, info.Height)
}

func (c *committing) proposal(kind common.HeaderType, chaincode string) *peer.Proposal {
	creator, err := c.signer.Serialize()
	require.NoError(c.t, err)
	spec := &peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{ChaincodeId: &peer.ChaincodeID{Name: chaincode, Version: "1"}}}
	proposal, _, err := protoutil.CreateProposalFromCIS(kind, channelName, spec, creator)
	require.NoError(c.t, err)
	return proposal
}

// transaction returns one that is good but for its results, which may be anything.
func (c *committing) transaction(chaincode string, results *rwset.TxReadWriteSet) []byte {
	return c.changed(chaincode, results, func(*peer.ChaincodeEndorsedAction) {})
}

// changed returns a transaction that was changed after it had been endorsed.
func (c *committing) changed(chaincode string, results *rwset.TxReadWriteSet, change func(*peer.ChaincodeEndorsedAction)) []byte {
	proposal := c.proposal(common.HeaderType_ENDORSER_TRANSACTION, chaincode)
	response, err := protoutil.CreateProposalResponse(proposal.Header, proposal.Payload, &peer.Response{Status: 200}, protoutil.MarshalOrPanic(results), nil,
		&peer.ChaincodeID{Name: chaincode, Version: "1"}, c.signer)
	require.NoError(c.t, err)
	envelope, err := protoutil.CreateSignedTx(proposal, c.signer, response)
	require.NoError(c.t, err)
	payload, err := protoutil.UnmarshalPayload(envelope.Payload)
	require.NoError(c.t, err)
	tx, err := protoutil.UnmarshalTransaction(payload.Data)
	require.NoError(c.t, err)
	action, err := protoutil.UnmarshalChaincodeActionPayload(tx.Actions[0].Payload)
	require.NoError(c.t, err)
	change(action.Action)
	tx.Actions[0].Payload = protoutil.MarshalOrPanic(action)
	return c.signed(payload.Header, protoutil.MarshalOrPanic(tx))
}

func (c *committing) signed(header *common.Header, data []byte) []byte {
	payload := protoutil.MarshalOrPanic(&common.Payload{Header: header, Data: data})
	signature, err := c.signer.Sign(payload)
	require.NoError(c.t, err)
	return protoutil.MarshalOrPanic(&common.Envelope{Payload: payload, Signature: signature})
}

// raw returns a message of any data below a good header.
func (c *committing) raw(kind common.HeaderType, data []byte) []byte {
	header, err := protoutil.UnmarshalHeader(c.proposal(kind, "open").Header)
	require.NoError(c.t, err)
	return c.signed(header, data)
}

// action returns a message with one action, whose payload may be anything.
func (c *committing) action(payload []byte) []byte {
	header, err := protoutil.UnmarshalHeader(c.proposal(common.HeaderType_ENDORSER_TRANSACTION, "open").Header)
	require.NoError(c.t, err)
	return c.signed(header, protoutil.MarshalOrPanic(&peer.Transaction{
		Actions: []*peer.TransactionAction{{Header: header.SignatureHeader, Payload: payload}},
	}))
}

func wrongHash(a *peer.ChaincodeEndorsedAction) {
	response, _ := protoutil.UnmarshalProposalResponsePayload(a.ProposalResponsePayload)
	response.ProposalHash = []byte("of another proposal")
	a.ProposalResponsePayload = protoutil.MarshalOrPanic(response)
}

func notEndorsed(a *peer.ChaincodeEndorsedAction) { a.Endorsements = nil }

// results returns what build puts into a read-write set.
func results(build func(*rwsetutil.RWSetBuilder)) *rwset.TxReadWriteSet {
	builder := rwsetutil.NewRWSetBuilder()
	build(builder)
	simulated, err := builder.GetTxSimulationResults()
	if err != nil {
		panic(err)
	}
	return simulated.PubSimulationResults
}

// sets returns results that set the validation parameter of "key" in each namespace.
func sets(namespaces ...string) *rwset.TxReadWriteSet {
	parameter := map[string][]byte{peer.MetaDataKeys_VALIDATION_PARAMETER.String(): protoutil.MarshalOrPanic(policy("closed"))}
	return results(func(b *rwsetutil.RWSetBuilder) {
		for _, namespace := range namespaces {
			b.AddToMetadataWriteSet(namespace, "key", parameter)
		}
	})
}

func writes(namespace, key string, value []byte) *rwset.TxReadWriteSet {
	return results(func(b *rwsetutil.RWSetBuilder) { b.AddToWriteSet(namespace, key, value) })
}

// hashed returns results that write to a collection, with private data of this hash.
func hashed(namespace, collection string, data []byte) *rwset.TxReadWriteSet {
	set := results(func(b *rwsetutil.RWSetBuilder) {
		b.AddToPvtAndHashedWriteSet(namespace, "coll", "key", []byte("value"))
	})
	set.NsRwset[0].CollectionHashedRwset[0].CollectionName = collection
	hash := sha256.Sum256(data)
	set.NsRwset[0].CollectionHashedRwset[0].PvtRwsetHash = hash[:]
	return set
}

// private returns what arrives with a block: data of a collection of "open", for its first transaction.
func private(data []byte) util.PvtDataCollections {
	return util.PvtDataCollections{{WriteSet: &rwset.TxPvtReadWriteSet{NsPvtRwset: []*rwset.NsPvtReadWriteSet{{
		Namespace: "open", CollectionPvtRwset: []*rwset.CollectionPvtReadWriteSet{{CollectionName: "coll", Rwset: data}},
	}}}}}
}

// onBoth runs a test with the validator of 1.4 and with that of 2.
func onBoth(t *testing.T, test func(c *committing, v20 bool)) {
	for name, v20 := range map[string]bool{"v14": false, "v20": true} {
		t.Run(name, func(t *testing.T) { test(newCommitting(t, v20), v20) })
	}
}

func (c *committing) honest() []byte {
	return c.transaction("open", writes("open", "key", []byte("value")))
}

// TestMalformedTransactions: nothing that a client can have ordered ends or stops a peer, or changes the verdict on a transaction of another.
func TestMalformedTransactions(t *testing.T) {
	onBoth(t, func(c *committing, _ bool) {
		for _, data := range [][]byte{nil, {0xff}, {0x12, 0}, {0x12, 0, 0x12, 0}} { // nothing, no message, one and two empty actions
			c.commits([]peer.TxValidationCode{malformed, valid}, c.raw(common.HeaderType_ENDORSER_TRANSACTION, data), c.honest())
			c.commits([]peer.TxValidationCode{peer.TxValidationCode_BAD_COMMON_HEADER, valid}, c.raw(common.HeaderType_MESSAGE, data), c.honest())
		}
		for _, payload := range [][]byte{
			nil, {0x0a, 1, 0}, {0xff}, {0x12, 0}, {0x12, 3, 0x0a, 1, 0xff}, // nothing, no action, no message, an empty action, no message in it
			{0x12, 7, 0x0a, 5, 0x0a, 0, 0x12, 1, 0xff}, {0x12, 4, 0x0a, 2, 0x12, 0}, // no message in the extension, an empty one
		} {
			c.commits([]peer.TxValidationCode{malformed, valid}, c.action(payload), c.honest())
		}
		noHeader := protoutil.MarshalOrPanic(&common.Envelope{}) // of a faulty orderer
		c.commits([]peer.TxValidationCode{peer.TxValidationCode_BAD_COMMON_HEADER, valid}, noHeader, c.honest())
	})
}

// TestRefusedBeforeItIsJudged: who writes to a key does not wait for a transaction that sets its validation parameter, and that no plugin
// judges in this namespace.
func TestRefusedBeforeItIsJudged(t *testing.T) {
	onBoth(t, func(c *committing, v20 bool) {
		c.commits([]peer.TxValidationCode{malformed, valid}, c.changed("open", sets("open"), wrongHash), c.honest())
		if !v20 { // its namespaces have an order, in which no peer gets to the second
			c.commits([]peer.TxValidationCode{peer.TxValidationCode_INVALID_OTHER_REASON, valid}, c.transaction("absent", sets("absent", "open")), c.honest())
		}
		other := func() []byte { return c.transaction("other", writes("other", "key", []byte("value"))) }
		c.commits([]peer.TxValidationCode{valid}, other())
		parameter := c.transaction("other", sets("other"))
		c.commits([]peer.TxValidationCode{valid}, parameter)
		c.commits([]peer.TxValidationCode{again, unwilling, valid}, parameter, other(), c.honest())
		same := c.transaction("open", sets("open"))
		c.commits([]peer.TxValidationCode{valid, unwilling}, same, c.honest()) // the parameter that it depends on is new
		c.commits([]peer.TxValidationCode{again, unwilling}, same, c.honest())
	})
}

// TestLeftToJudge: a transaction that is refused in one namespace counts in another as it does where that one was judged first. Stock peers
// take them in the order of a map, and those that get past the block have judged the namespace that the later one writes to.
func TestLeftToJudge(t *testing.T) {
	c := newCommitting(t, true)
	c.commits([]peer.TxValidationCode{unwilling, unwilling}, c.transaction("open", sets("closed", "open")), c.honest())
	c.commits([]peer.TxValidationCode{unwilling, unwilling}, c.transaction("open", sets("open", "other", "closed")), c.honest())
	c.commits([]peer.TxValidationCode{peer.TxValidationCode_INVALID_CHAINCODE, unwilling, unwilling}, c.transaction("open", sets("absent", "open")), c.honest(), c.honest())
	for range 10 { // the code follows the order of the namespaces too
		c.commits([]peer.TxValidationCode{peer.TxValidationCode_INVALID_CHAINCODE, valid}, c.changed("open", sets("absent", "open"), notEndorsed), c.honest())
	}
	c.commits([]peer.TxValidationCode{unwilling, valid}, c.changed("open", sets("closed", "open"), notEndorsed), c.honest())
	c.commits([]peer.TxValidationCode{unwilling, valid}, c.changed("open", sets("open", "other"), notEndorsed), c.honest())
	// the second waits for the first, and is itself left to judge: in "open" the first sets the parameter, so the second does not
	other := c.transaction("other", writes("other", "key", []byte("value")))
	c.commits([]peer.TxValidationCode{unwilling, unwilling, unwilling, valid},
		c.transaction("open", sets("closed", "open")), c.transaction("open", sets("closed", "open")), c.honest(), other)
}

// TestNothingToWrite: keys for which a transaction leaves no value are not written.
func TestNothingToWrite(t *testing.T) {
	onBoth(t, func(c *committing, _ bool) {
		c.commits([]peer.TxValidationCode{valid}, c.honest())
		c.commits([]peer.TxValidationCode{valid, valid}, c.transaction("open", writes("open", "key", nil)), c.transaction("open", sets("open")))
		c.commits([]peer.TxValidationCode{valid}, c.honest()) // the parameter was not set
		data := func(delete bool) *rwset.TxReadWriteSet {
			set := hashed("open", "coll", nil)
			if delete {
				set = results(func(b *rwsetutil.RWSetBuilder) { b.AddToPvtAndHashedWriteSet("open", "coll", "key", nil) })
			}
			return set
		}
		parameter := results(func(b *rwsetutil.RWSetBuilder) {
			b.AddToHashedMetadataWriteSet("open", "coll", "key", map[string][]byte{"VALIDATION_PARAMETER": protoutil.MarshalOrPanic(policy("closed"))})
		})
		c.commits([]peer.TxValidationCode{valid}, c.transaction("open", data(false)))
		c.commits([]peer.TxValidationCode{valid, valid}, c.transaction("open", data(true)), c.transaction("open", parameter))
		for _, set := range []*kvrwset.KVRWSet{
			{Writes: slices.Repeat([]*kvrwset.KVWrite{{Key: "key", IsDelete: true}}, 32)},
			{MetadataWrites: slices.Repeat([]*kvrwset.KVMetadataWrite{{Key: "key"}}, 64)},
		} {
			c.commits([]peer.TxValidationCode{valid}, c.transaction("open", &rwset.TxReadWriteSet{
				NsRwset: []*rwset.NsReadWriteSet{{Namespace: "open", Rwset: protoutil.MarshalOrPanic(set)}},
			}))
		}
	})
}

// knowing is a committer that has the private data of each block.
type knowing struct {
	committer.Committer
	flags []byte
}

func (*knowing) DoesPvtDataInfoExistInLedger(uint64) (bool, error) { return true, nil }

func (k *knowing) CommitLegacy(data *ledger.BlockAndPvtData, _ *ledger.CommitOptions) error {
	k.flags = data.Block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER]
	return nil
}

// TestUnusableCollections: a write to a collection that is not defined, or that nobody can use, makes a transaction invalid and ends no peer.
func TestUnusableCollections(t *testing.T) {
	onBoth(t, func(c *committing, v20 bool) {
		c.commits([]peer.TxValidationCode{valid}, c.transaction("open", hashed("open", "coll", nil)))
		for _, collection := range []string{"nowhere", "", "unreadable"} {
			illegal := peer.TxValidationCode_ILLEGAL_WRITESET
			if v20 && collection == "nowhere" {
				illegal = unwilling // as in stock
			}
			c.commits([]peer.TxValidationCode{illegal, valid}, c.transaction("open", hashed("open", collection, nil)), c.honest())
			for _, namespace := range []string{"open", "absent"} {
				c.commits([]peer.TxValidationCode{malformed, valid}, c.changed("open", hashed(namespace, collection, nil), wrongHash), c.honest())
			}
			// after a crash between private data and block, the ledger has the private data already
			block, to := c.block(c.transaction("open", hashed("open", collection, nil)), c.honest()), &knowing{}
			require.NoError(c.t, c.storing(to).StoreBlock(block, nil))
			require.Equal(c.t, []byte{byte(illegal), byte(valid)}, to.flags)
		}
	})
}

// missing is a committer that keeps which private data a block lacks.
type missing struct {
	committer.Committer
	data ledger.TxMissingPvtData
}

func (m *missing) CommitLegacy(data *ledger.BlockAndPvtData, options *ledger.CommitOptions) error {
	m.data = data.MissingPvtData
	return m.Committer.CommitLegacy(data, options)
}

// TestImplicitCollectionsOfStrangers: an invalid transaction makes a peer learn nothing of implicit collections of organisations that the channel
// has not. For those of organisations that it has, and for a valid transaction, private data are missing, as in stock.
func TestImplicitCollectionsOfStrangers(t *testing.T) {
	onBoth(t, func(c *committing, _ bool) {
		m := &missing{Committer: committer.NewLedgerCommitter(c.ledger)}
		c.stores = c.storing(m)
		ours, theirs := hashed("open", "_implicit_org_SampleOrg", nil), hashed("open", "_implicit_org_Stranger", nil)
		both := hashed("open", "_implicit_org_SampleOrg", nil)
		both.NsRwset[0].CollectionHashedRwset = append(both.NsRwset[0].CollectionHashedRwset, theirs.NsRwset[0].CollectionHashedRwset...)
		lacks := func(verdict peer.TxValidationCode, tx []byte) int {
			c.commits([]peer.TxValidationCode{verdict, valid}, tx, c.honest())
			return len(m.data[0])
		}
		require.Zero(c.t, lacks(malformed, c.changed("open", theirs, wrongHash)))
		require.Zero(c.t, lacks(malformed, c.changed("open", both, wrongHash)))
		_, asked := c.defined.asked.Load("_implicit_org_Stranger")
		require.False(c.t, asked)
		require.Equal(c.t, 1, lacks(malformed, c.changed("open", ours, wrongHash)))
		require.Equal(c.t, 1, lacks(valid, c.transaction("open", theirs)))
		require.Equal(c.t, 2, lacks(valid, c.transaction("open", both)))
	})
}

// TestManyEndorsements: a peer judges a transaction with very many endorsements in the memory that it has. A right one among wrong ones, also of
// the same endorser, is found.
func TestManyEndorsements(t *testing.T) {
	onBoth(t, func(c *committing, _ bool) {
		many := func(keep int) []byte {
			return c.changed("open", writes("open", "key", make([]byte, 1<<18)), func(a *peer.ChaincodeEndorsedAction) {
				right := a.Endorsements[:keep]
				a.Endorsements = []*peer.Endorsement{{Endorser: a.Endorsements[0].Endorser, Signature: []byte("wrong")}}
				for i := range 4000 {
					a.Endorsements = append(a.Endorsements, &peer.Endorsement{Endorser: fmt.Append(nil, i)}, &peer.Endorsement{})
				}
				a.Endorsements = append(a.Endorsements, right...)
			})
		}
		with, without := many(1), many(0)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.commits([]peer.TxValidationCode{valid, unwilling}, with, without)
		runtime.ReadMemStats(&after)
		require.Less(c.t, after.TotalAlloc-before.TotalAlloc, uint64(256<<20)) // 4 GiB in stock
	})
}

// TestMalformedPrivateData: private data that fit their hash, and are no write set, or that fit another hash for the same collection, do not
// stop a peer that has them. Those that are a write set are stored.
func TestMalformedPrivateData(t *testing.T) {
	onBoth(t, func(c *committing, _ bool) {
		good := protoutil.MarshalOrPanic(&kvrwset.KVRWSet{Writes: []*kvrwset.KVWrite{{Key: "key", Value: []byte("value")}}})
		twice := hashed("open", "coll", []byte("another"))
		twice.NsRwset[0].CollectionHashedRwset = append(twice.NsRwset[0].CollectionHashedRwset, hashed("open", "coll", good).NsRwset[0].CollectionHashedRwset...)
		for _, test := range []struct {
			results *rwset.TxReadWriteSet
			data    []byte
			stored  int
		}{{hashed("open", "coll", good), good, 1}, {hashed("open", "coll", []byte{0xff}), []byte{0xff}, 0}, {twice, good, 0}} {
			c.private = private(test.data)
			c.commits([]peer.TxValidationCode{valid}, c.transaction("open", test.results))
			info, err := c.ledger.GetBlockchainInfo()
			require.NoError(c.t, err)
			stored, err := c.ledger.GetPvtDataByNum(info.Height-1, nil)
			require.NoError(c.t, err)
			require.Len(c.t, stored, test.stored)
		}
	})
}
