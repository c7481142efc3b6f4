// SPDX-License-Identifier: Apache-2.0

package statebased

import (
	"slices"

	commonerrors "github.com/hyperledger/fabric/common/errors"
	validation "github.com/hyperledger/fabric/core/handlers/validation/api/policies"
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

// SetEvaluator is a policy evaluator that judges many policies for one set of signatures.
type SetEvaluator interface {
	validation.PolicyEvaluator
	// ForSet returns what Evaluate does for one set, whose signatures are verified at most once.
	ForSet(signatureSet []*protoutil.SignedData) (evaluate func(policy []byte) error)
}

// ofOneTransaction returns an evaluator that verifies the signatures of a transaction once, if e can.
func ofOneTransaction(e validation.PolicyEvaluator) validation.PolicyEvaluator {
	if e, ok := e.(SetEvaluator); ok {
		return &lastSet{SetEvaluator: e}
	}
	return e
}

type lastSet struct {
	SetEvaluator
	set      []*protoutil.SignedData
	evaluate func(policy []byte) error
}

func (l *lastSet) Evaluate(policy []byte, set []*protoutil.SignedData) error {
	if l.evaluate == nil || !slices.Equal(l.set, set) {
		l.set, l.evaluate = set, l.ForSet(set)
	}
	return l.evaluate(policy)
}

// Evaluator returns the evaluator of one transaction.
//
//fork:wrap fix: the endorsements of a transaction are verified once, and not for each key that it writes
func (p *policyCheckerFactoryV13) Evaluator(ccEP []byte) RWSetPolicyEvaluator {
	forOne := *p
	forOne.policySupport = ofOneTransaction(p.policySupport)
	return forOne.upstreamEvaluator(ccEP)
}

// Evaluator returns the evaluator of one transaction.
//
//fork:wrap fix: the endorsements of a transaction are verified once, and not for each key that it writes
func (p *policyCheckerFactoryV20) Evaluator(ccEP []byte) RWSetPolicyEvaluator {
	forOne := *p
	forOne.policySupport = ofOneTransaction(p.policySupport)
	return forOne.upstreamEvaluator(ccEP)
}
