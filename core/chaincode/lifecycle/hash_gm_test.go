// SPDX-License-Identifier: Apache-2.0

package lifecycle_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go/ledger/queryresult"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	lb "github.com/hyperledger/fabric-protos-go/peer/lifecycle"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/sm3"
	commonledger "github.com/hyperledger/fabric/common/ledger"
	"github.com/hyperledger/fabric/core/chaincode/lifecycle"
	"github.com/hyperledger/fabric/core/chaincode/lifecycle/mock"
	"github.com/hyperledger/fabric/core/chaincode/persistence"
	"github.com/hyperledger/fabric/core/container/externalbuilder"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/protoutil"
)

func init() { // the channels of upstream's tests
	for _, channel := range []string{"channel-id", "test-channel", "my-channel", "missing-channel-id", "another-channel-id", "new-channel"} {
		channelhash.Set(channel, protoutil.HashSHA256)
	}
	channelhash.Set("sm3-channel", protoutil.HashSM3)
}

// HashFunction makes the fake a state of a channel with SHA-256, as its hashes are.
func (MapLedgerShim) HashFunction() (protoutil.HashFunction, error) { return protoutil.HashSHA256, nil }

// channelState is what a channel's ledger answers.
type channelState struct {
	*mock.SimpleQueryExecutor
	public, private MapLedgerShim
}

var hashers = map[string]func([]byte) []byte{
	"channel-id":  protoutil.HashSHA256.Sum,
	"sm3-channel": func(b []byte) []byte { s := sm3.Sum(b); return s[:] },
}

func newChannelState(channel string) *channelState {
	s := &channelState{&mock.SimpleQueryExecutor{}, MapLedgerShim{}, MapLedgerShim{}}
	s.GetStateStub = func(_, key string) ([]byte, error) { return s.public.GetState(key) }
	s.GetStateRangeScanIteratorStub = func(_, begin, end string) (commonledger.ResultsIterator, error) {
		results := &mock.ResultsIterator{}
		n := 0
		for key, value := range s.public {
			if key >= begin && key < end {
				results.NextReturnsOnCall(n, &queryresult.KV{Key: key, Value: value}, nil)
				n++
			}
		}
		return results, nil
	}
	s.GetPrivateDataHashStub = func(_, _, key string) ([]byte, error) {
		value, ok := s.private[key]
		if !ok {
			return nil, nil
		}
		return hashers[channel](value), nil
	}
	return s
}

var definition = &lifecycle.ChaincodeDefinition{
	Sequence:        1,
	EndorsementInfo: &lb.ChaincodeEndorsementInfo{Version: "1"},
	ValidationInfo:  &lb.ChaincodeValidationInfo{},
	Collections:     &pb.CollectionConfigPackage{},
}

func (s *channelState) define(t *testing.T) {
	require.NoError(t, (&lifecycle.Serializer{}).Serialize(lifecycle.NamespacesName, "asset", definition, s.public))
}

func (s *channelState) approve(t *testing.T) {
	serializer := &lifecycle.Serializer{}
	require.NoError(t, serializer.Serialize(lifecycle.NamespacesName, "asset#1", definition.Parameters(), s.private))
	require.NoError(t, serializer.Serialize(lifecycle.ChaincodeSourcesName, "asset#1", &lifecycle.ChaincodeLocalPackage{PackageID: "asset:1"}, s.private))
}

func newCache() *lifecycle.Cache {
	source, config, application, policies := &mock.ChannelConfigSource{}, &mock.ChannelConfig{}, &mock.ApplicationConfig{}, &mock.PolicyManager{}
	capabilities := &mock.ApplicationCapabilities{}
	source.GetStableChannelConfigReturns(config)
	config.ApplicationConfigReturns(application, true)
	config.PolicyManagerReturns(policies)
	policies.GetPolicyReturns(nil, true)
	application.CapabilitiesReturns(capabilities)
	capabilities.LifecycleV20Returns(true)
	parser := &mock.PackageParser{}
	parser.ParseReturns(&persistence.ChaincodePackage{Metadata: &persistence.ChaincodePackageMetadata{}}, nil)
	resources := &lifecycle.Resources{
		PackageParser: parser, ChaincodeStore: &mock.ChaincodeStore{}, ChannelConfigSource: source, Serializer: &lifecycle.Serializer{},
	}
	return lifecycle.NewCache(resources, "my-mspid", &mock.MetadataHandler{}, lifecycle.NewChaincodeCustodian(), &externalbuilder.MetadataProvider{})
}

// TestApprovedAndInstalled: an approved package is found installed, in channels of both kinds, whichever comes first.
func TestApprovedAndInstalled(t *testing.T) {
	install := func(c *lifecycle.Cache) {
		c.HandleChaincodeInstalled(&persistence.ChaincodePackageMetadata{Type: "golang", Label: "asset"}, "asset:1")
	}
	requireInstalled := func(t *testing.T, c *lifecycle.Cache, installed bool, channels ...string) {
		t.Helper()
		for _, channel := range channels {
			info, err := c.ChaincodeInfo(channel, "asset")
			require.NoError(t, err)
			require.True(t, info.Approved, channel)
			require.Equal(t, installed, info.InstallInfo != nil, channel)
		}
		list := c.ListInstalledChaincodes()
		if !installed {
			require.Empty(t, list)
			return
		}
		require.Len(t, list, 1)
		require.Len(t, list[0].References, len(channels))
	}
	join := func(t *testing.T, c *lifecycle.Cache, channel string) {
		state := newChannelState(channel)
		state.define(t)
		state.approve(t)
		require.NoError(t, c.Initialize(channel, state))
	}
	for channel := range hashers {
		t.Run("installed before "+channel, func(t *testing.T) {
			c := newCache()
			install(c)
			join(t, c, channel)
			requireInstalled(t, c, true, channel)
		})
		t.Run("installed after "+channel, func(t *testing.T) {
			c := newCache()
			join(t, c, channel)
			requireInstalled(t, c, false, channel)
			install(c)
			requireInstalled(t, c, true, channel)
		})
		t.Run("approved last in "+channel, func(t *testing.T) {
			approved := newChannelState(channel)
			approved.approve(t)
			delete(approved.private, lifecycle.MetadataKey(lifecycle.ChaincodeSourcesName, "asset#1")) // the cache does not wait for it
			require.Len(t, approved.private, 5)
			// Each of the keys that an approval writes is enough for the cache to look again.
			for key := range approved.private {
				c, state := newCache(), newChannelState(channel)
				install(c)
				state.define(t)
				require.NoError(t, c.Initialize(channel, state))
				info, err := c.ChaincodeInfo(channel, "asset")
				require.NoError(t, err)
				require.False(t, info.Approved)
				state.approve(t)
				require.NoError(t, c.HandleStateUpdates(&ledger.StateUpdateTrigger{
					LedgerID: channel, PostCommitQueryExecutor: state,
					StateUpdates: ledger.StateUpdates{"_lifecycle": {CollHashUpdates: map[string][]*kvrwset.KVWriteHash{
						"_implicit_org_my-mspid": {{KeyHash: hashers[channel]([]byte(key))}},
					}}},
				}))
				requireInstalled(t, c, true, channel)
			}
		})
	}
	for i, channels := range [][]string{{"channel-id", "sm3-channel"}, {"sm3-channel", "channel-id"}} {
		t.Run(fmt.Sprint("both ", i), func(t *testing.T) {
			before, between, after := newCache(), newCache(), newCache()
			install(before)
			for n, channel := range channels {
				for _, c := range []*lifecycle.Cache{before, between, after} {
					join(t, c, channel)
				}
				if n == 0 {
					install(between)
				}
			}
			install(after)
			for _, c := range []*lifecycle.Cache{before, between, after} {
				requireInstalled(t, c, true, channels...)
			}
		})
	}
	state := newChannelState("sm3-channel")
	state.define(t)
	state.approve(t)
	require.ErrorContains(t, newCache().Initialize("not open", state), `the hash function of channel "not open" is not known`)
}

// all are the results of a function that has one more of them in Fabric 3.
func all(results ...any) []any { return results }

// isApproved reads what IsSerialized returns: whether all is the same first, an error last.
func isApproved(t *testing.T, results ...any) bool {
	t.Helper()
	require.Nil(t, results[len(results)-1])
	return results[0].(bool)
}

// TestApprovalsByTheirHash: the approval of another organisation, of which a peer has only hashes, is compared by the function of the
// channel. Without the function nothing is approved.
func TestApprovalsByTheirHash(t *testing.T) {
	serializer := &lifecycle.Serializer{}
	requireApproved := func(expected bool, state lifecycle.OpaqueState) {
		t.Helper()
		results := all(serializer.IsSerialized(lifecycle.NamespacesName, "asset#1", definition.Parameters(), state))
		require.Equal(t, expected, isApproved(t, results...))
		local, err := serializer.IsMetadataSerialized(lifecycle.ChaincodeSourcesName, "asset#1", &lifecycle.ChaincodeLocalPackage{}, state)
		require.NoError(t, err)
		require.Equal(t, expected, local)
	}
	ofChannel := func(named, hashedAs string) lifecycle.OpaqueState {
		state := newChannelState(hashedAs)
		state.approve(t)
		stub := &mock.ChaincodeStub{}
		stub.GetChannelIDReturns(named)
		stub.GetPrivateDataHashStub = func(_, key string) ([]byte, error) { return state.GetPrivateDataHash("", "", key) }
		return &lifecycle.ChaincodePrivateLedgerShim{Stub: stub, Collection: "_implicit_org_other"}
	}
	for channel := range hashers {
		for hashedAs := range hashers {
			requireApproved(channel == hashedAs, ofChannel(channel, hashedAs))
		}
		requireApproved(false, ofChannel("not open", channel))
	}
	requireApproved(false, silentState{})

	// One field that differs by its hash is enough.
	for key := range newApproved(t).private {
		state := newApproved(t)
		state.private[key] = append(state.private[key], 0)
		shim := &lifecycle.PrivateQueryExecutorShim{Namespace: "_lifecycle", Collection: "_implicit_org_other", State: state, ChannelID: "sm3-channel"}
		results := all(serializer.IsSerialized(lifecycle.NamespacesName, "asset#1", definition.Parameters(), shim))
		require.Equal(t, strings.HasPrefix(key, lifecycle.ChaincodeSourcesName), isApproved(t, results...), key)
	}
}

func newApproved(t *testing.T) *channelState {
	state := newChannelState("sm3-channel")
	state.approve(t)
	return state
}

// silentState has no hashes and does not say of which function.
type silentState struct{}

func (silentState) GetStateHash(string) ([]byte, error) { return nil, nil }
func (silentState) CollectionName() string              { return "" }
