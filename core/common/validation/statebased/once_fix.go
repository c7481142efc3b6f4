// SPDX-License-Identifier: Apache-2.0

package statebased

import (
	"slices"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"

	commonerrors "github.com/hyperledger/fabric/common/errors"
	validation "github.com/hyperledger/fabric/core/handlers/validation/api/policies"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/protoutil"
)

// A write set may name one key 100,000 times per MB, and 10,000 keys that each have a policy of their own. Upstream reads, compiles and evaluates
// the policy for each entry, and verifies each endorsement for it again, over the whole transaction. A transaction could so keep each peer of the
// channel for hours. What is computed once here cannot change while a transaction is judged: the state is that before its block.

//fork:fields fix: a key that a transaction names often is judged once
type baseEvaluator struct {
	satisfied map[ledgerKeyID]struct{} // keys that the transaction may write
}

// judgeOnce judges a key for which the transaction has not been found satisfactory yet. The first failure ends its validation.
func (p *baseEvaluator) judgeOnce(cc, coll, key string, blockNum, txNum uint64, signatureSet []*protoutil.SignedData) commonerrors.TxValidationError {
	id := *newLedgerKeyID(cc, coll, key)
	if _, ok := p.satisfied[id]; ok {
		return nil
	}
	if err := p.upstreamCheckSBAndCCEP(cc, coll, key, blockNum, txNum, signatureSet); err != nil {
		return err
	}
	if p.satisfied == nil {
		p.satisfied = map[ledgerKeyID]struct{}{}
	}
	p.satisfied[id] = struct{}{}
	return nil
}

// endorsementsEvaluator is a policy evaluator that judges many policies for one set of endorsements. Each signs the Data followed by its Identity.
type endorsementsEvaluator interface {
	ForEndorsements(set []*protoutil.SignedData) (evaluate func(policy []byte) error)
}

// ForEndorsements returns what e says of each policy for one set of endorsements, which share their Data: that is followed by the Identity in what
// each signs.
func ForEndorsements(e validation.PolicyEvaluator, set []*protoutil.SignedData) (evaluate func(policy []byte) error) {
	if e, ok := e.(endorsementsEvaluator); ok {
		return e.ForEndorsements(set)
	}
	whole := make([]*protoutil.SignedData, len(set))
	for i, s := range set {
		whole[i] = &protoutil.SignedData{Data: slices.Concat(s.Data, s.Identity), Identity: s.Identity, Signature: s.Signature}
	}
	return func(policy []byte) error { return e.Evaluate(policy, whole) }
}

// oneTransaction evaluates policies for the endorsements of a transaction.
type oneTransaction struct {
	validation.PolicyEvaluator
	set      []*protoutil.SignedData
	evaluate func(policy []byte) error
}

func (o *oneTransaction) Evaluate(policy []byte, set []*protoutil.SignedData) error {
	if o.evaluate == nil || !slices.Equal(o.set, set) {
		o.set, o.evaluate = set, ForEndorsements(o.PolicyEvaluator, set)
	}
	return o.evaluate(policy)
}

// endorsements returns those of a transaction, with the results that all of them sign. It leaves out what is there a second time: a policy counts
// no identity twice.
func endorsements(results []byte, of []*peer.Endorsement) (set []*protoutil.SignedData) {
	known := map[[2]string]struct{}{}
	for _, e := range of {
		id := [2]string{string(e.GetEndorser()), string(e.GetSignature())}
		if _, ok := known[id]; !ok {
			known[id] = struct{}{}
			set = append(set, &protoutil.SignedData{Data: results, Identity: e.GetEndorser(), Signature: e.GetSignature()})
		}
	}
	return set
}

// namedInLog is the number of endorsers that a line in the log names.
const namedInLog = 10

// Validate judges a transaction in one namespace. It makes no copy of the transaction for each endorsement.
//
//fork:replace fix: a transaction with very many endorsements ends no peer
func (klv *KeyLevelValidator) Validate(cc string, blockNum, txNum uint64, rwset, results, ccEP []byte, by []*peer.Endorsement) commonerrors.TxValidationError {
	sets := &rwsetutil.TxRwSet{}
	if err := sets.FromProtoBytes(rwset); err != nil {
		return policyErr(errors.WithMessagef(err, "the read-write set of transaction %d of block %d cannot be read", txNum, blockNum))
	}
	set := endorsements(results, by)
	err := klv.pef.Evaluator(ccEP).Evaluate(blockNum, txNum, sets.NsRwSets, cc, set)
	if err != nil {
		policy := &peer.ApplicationPolicy{}
		_ = proto.Unmarshal(ccEP, policy) // only for the log
		logger.Warnw("The endorsements do not suffice", "error", err, "chaincode", cc, "endorsementPolicy", policy,
			"endorsements", len(by), "endorsingIdentities", protoutil.LogMessageForSerializedIdentities(set[:min(len(set), namedInLog)]))
	}
	return err
}

// Evaluator returns the evaluator of one transaction.
//
//fork:wrap fix: the endorsements of a transaction are verified once, and not for each key that it writes
func (p *policyCheckerFactoryV13) Evaluator(ccEP []byte) RWSetPolicyEvaluator {
	forOne := *p
	forOne.policySupport = &oneTransaction{PolicyEvaluator: p.policySupport}
	return forOne.upstreamEvaluator(ccEP)
}

// Evaluator returns the evaluator of one transaction.
//
//fork:wrap fix: the endorsements of a transaction are verified once, and not for each key that it writes
func (p *policyCheckerFactoryV20) Evaluator(ccEP []byte) RWSetPolicyEvaluator {
	forOne := *p
	forOne.policySupport = &oneTransaction{PolicyEvaluator: p.policySupport}
	return forOne.upstreamEvaluator(ccEP)
}
