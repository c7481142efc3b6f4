// SPDX-License-Identifier: Apache-2.0

package statebased

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	commonerrors "github.com/hyperledger/fabric/common/errors"
	"github.com/hyperledger/fabric/core/common/validation/statebased/mocks"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/protoutil"
)

// onceEvaluator satisfies policies unless they are "no", and counts.
type onceEvaluator struct {
	sets      [][]*protoutil.SignedData
	evaluated []string
}

func (e *onceEvaluator) Evaluate([]byte, []*protoutil.SignedData) error {
	return errors.New("without a set")
}

func (e *onceEvaluator) ForEndorsements(set []*protoutil.SignedData) func([]byte) error {
	e.sets = append(e.sets, set)
	return func(policy []byte) error {
		e.evaluated = append(e.evaluated, string(policy))
		if string(policy) == "no" {
			return errors.New("not satisfied")
		}
		return nil
	}
}

// parameters has the policies of keys, named collection/key, and counts how often each is asked for.
type parameters struct {
	KeyLevelValidationParameterManager
	of    map[string]string
	asked map[string]int
}

func (p *parameters) GetValidationParameterForKey(_, coll, key string, _, _ uint64) ([]byte, error) {
	p.asked[coll+"/"+key]++
	return []byte(p.of[coll+"/"+key]), nil
}

// namedOften returns a write set that names each key in each way: 50 times if it is the first, then once more.
func namedOften(t *testing.T, keys ...string) []byte {
	public, hashed := &kvrwset.KVRWSet{}, &kvrwset.HashedRWSet{}
	for _, key := range append(slices.Repeat(keys[:1], 50), keys...) {
		public.Writes = append(public.Writes, &kvrwset.KVWrite{Key: key, Value: []byte("value")})
		public.MetadataWrites = append(public.MetadataWrites, &kvrwset.KVMetadataWrite{Key: key})
		hashed.HashedWrites = append(hashed.HashedWrites, &kvrwset.KVWriteHash{KeyHash: []byte(key)})
		hashed.MetadataWrites = append(hashed.MetadataWrites, &kvrwset.KVMetadataWriteHash{KeyHash: []byte(key)})
	}
	set := &rwsetutil.TxRwSet{NsRwSets: []*rwsetutil.NsRwSet{{NameSpace: "cc", KvRwSet: public, CollHashedRwSets: []*rwsetutil.CollHashedRwSet{
		{CollectionName: "coll", HashedRwSet: hashed}, {CollectionName: "other", HashedRwSet: hashed},
	}}}}
	b, err := set.ToProtoBytes()
	require.NoError(t, err)
	return b
}

// TestKeysJudgedOnce: a key that a transaction names often is judged once, and its endorsements are verified once for all keys. A key whose policy
// is not satisfied makes the transaction invalid wherever it stands, also under the name of one whose policy is.
func TestKeysJudgedOnce(t *testing.T) {
	keys := []string{"a", "b", "without"}
	satisfied := map[string]string{"/a": "p1", "/b": "p2", "coll/a": "p3", "coll/b": "p4", "other/a": "p5", "other/b": "p6"}
	for _, version := range []string{"v13", "v20"} {
		collections := &mocks.CollectionResources{}
		states := &mockStateFetcher{FetchStateRv: &mockState{}}
		collections.On("CollectionValidationInfo", "cc", "coll", &mockState{}).Return([]byte("of coll"), nil, nil)
		collections.On("CollectionValidationInfo", "cc", "other", &mockState{}).Return(nil, nil, nil)
		judge := func(of map[string]string) (*onceEvaluator, *parameters, commonerrors.TxValidationError) {
			policies, manager := &onceEvaluator{}, &parameters{of: of, asked: map[string]int{}}
			var factory RWSetPolicyEvaluatorFactory = NewV13Evaluator(policies, manager)
			if version == "v20" {
				factory = NewV20Evaluator(manager, policies, collections, states)
			}
			v := NewKeyLevelValidator(factory, manager)
			return policies, manager, v.Validate("cc", 1, 0, namedOften(t, keys...), []byte("response"), []byte("of cc"), []*peer.Endorsement{{Endorser: []byte("endorser")}})
		}

		policies, manager, err := judge(satisfied)
		require.NoError(t, err, version)
		require.Len(t, policies.sets, 1, version)
		require.Equal(t, []*protoutil.SignedData{{Data: []byte("response"), Identity: []byte("endorser")}}, policies.sets[0])
		want := []string{"of cc", "p1", "p2", "p3", "p4", "p5", "p6"}
		if version == "v20" {
			want = append(want, "of coll")
		}
		require.ElementsMatch(t, want, policies.evaluated, version)
		require.Len(t, manager.asked, 9)
		for key, n := range manager.asked {
			require.Equal(t, 1, n, "%s, %s", key, version)
		}
		for key := range satisfied {
			of := map[string]string{key: "no"}
			for k, p := range satisfied {
				if k != key {
					of[k] = p
				}
			}
			_, _, err := judge(of)
			require.IsType(t, &commonerrors.VSCCEndorsementPolicyError{}, err, fmt.Sprint(key, version))
		}
	}
}

// TestSetsOfEndorsements: an evaluator of one transaction does not take one set of endorsements for another, and one that knows no sets gets what
// each endorser signs.
func TestSetsOfEndorsements(t *testing.T) {
	policies := &onceEvaluator{}
	e := &oneTransaction{PolicyEvaluator: policies}
	first, second := []*protoutil.SignedData{{Data: []byte("1")}}, []*protoutil.SignedData{{Data: []byte("2")}}
	for _, set := range [][]*protoutil.SignedData{nil, nil, first, first, second, {second[0]}} {
		require.NoError(t, e.Evaluate([]byte("p"), set))
	}
	require.Equal(t, [][]*protoutil.SignedData{nil, first, second}, policies.sets)

	plain := &plainEvaluator{}
	by := []*peer.Endorsement{{Endorser: []byte("a"), Signature: []byte("s")}, {Endorser: []byte("b")}, {Endorser: []byte("a"), Signature: []byte("s")}, {Endorser: []byte("a")}, nil, {}}
	evaluate := ForEndorsements(plain, endorsements([]byte("results "), by))
	require.NoError(t, evaluate([]byte("p")))
	require.Equal(t, []*protoutil.SignedData{
		{Data: []byte("results a"), Identity: []byte("a"), Signature: []byte("s")}, {Data: []byte("results b"), Identity: []byte("b")},
		{Data: []byte("results a"), Identity: []byte("a")}, {Data: []byte("results ")},
	}, plain.set)
}

type plainEvaluator struct{ set []*protoutil.SignedData }

func (p *plainEvaluator) Evaluate(_ []byte, set []*protoutil.SignedData) error {
	p.set = set
	return nil
}

// TestManyEndorsements: the memory that a transaction takes does not grow with the product of its results and its endorsements, whether or not
// they are the same.
func TestManyEndorsements(t *testing.T) {
	b, err := (&rwsetutil.TxRwSet{}).ToProtoBytes()
	require.NoError(t, err)
	var by []*peer.Endorsement
	for i := range 2000 {
		by = append(by, &peer.Endorsement{Endorser: []byte(fmt.Sprint(i))}, &peer.Endorsement{})
	}
	manager := &parameters{}
	v := NewKeyLevelValidator(NewV13Evaluator(&onceEvaluator{}, manager), manager)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, v.Validate("cc", 1, 0, b, make([]byte, 1<<18), []byte("of cc"), by))
	require.NotNil(t, v.Validate("cc", 1, 0, b, make([]byte, 1<<18), []byte("no"), by))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20)) // 1 GiB in stock
}
