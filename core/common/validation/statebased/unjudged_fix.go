// SPDX-License-Identifier: Apache-2.0

package statebased

import (
	"slices"
	"sync"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/pkg/errors"

	commonerrors "github.com/hyperledger/fabric/common/errors"
	"github.com/hyperledger/fabric/protoutil"
)

// A transaction that writes to a key waits for all earlier ones of its block that set the validation parameter of this key. Upstream wakes it
// only by what a plugin does for these earlier transactions. One that is malformed, refused before a plugin sees it, or refused in one
// namespace before another is judged, made it wait for ever, at each start again. So whoever validates a block says here when a transaction
// has its verdict, and how namespaces are judged that nobody has judged yet.

// errNotJudged is the result of a transaction in a namespace that no plugin has judged. It sets no parameter there.
var errNotJudged = errors.New("no plugin has judged the transaction")

// blocks are those that are being validated. Validation and plugins share the block, and nothing else that names it: a plugin is made
// by its factory and does not know who calls it.
var blocks struct {
	sync.Mutex
	underway map[*common.Block]*progress
}

// progress is guarded by the mutex of blocks.
type progress struct {
	left      int // transactions without a verdict
	judges    map[int]Judge
	ended     []int
	listeners []listener
}

// Judge judges a transaction in one more namespace by its plugin, which records the result. An error is a failure of the peer, and no result.
type Judge func(namespace string) error

// listener is told of the end of each transaction of a block.
type listener interface {
	transactionEnded(block, tx uint64, judge Judge)
}

// Validating says that the validation of a transaction begins. The validator must call ended when it has the verdict, and before it makes
// the verdict known: the block is over when all are known.
func Validating(block *common.Block, tx int) (ended func()) {
	blocks.Lock()
	defer blocks.Unlock()
	p := blocks.underway[block]
	if p == nil {
		if blocks.underway == nil {
			blocks.underway = map[*common.Block]*progress{}
		}
		p = &progress{left: len(block.GetData().GetData()), judges: map[int]Judge{}}
		blocks.underway[block] = p
	}
	return func() {
		blocks.Lock()
		p.ended = append(p.ended, tx)
		if p.left--; p.left == 0 {
			delete(blocks.underway, block)
		}
		judge, listeners := p.judges[tx], slices.Clone(p.listeners)
		blocks.Unlock()
		for _, l := range listeners {
			l.transactionEnded(block.GetHeader().GetNumber(), uint64(tx), judge)
		}
	}
}

// LeaveToJudge says that a transaction is refused although it was not judged in all of its namespaces. Upstream takes them in the order of a
// map, so another peer may have judged the others: those that later transactions depend on are judged when they do.
func LeaveToJudge(block *common.Block, tx int, judge Judge) {
	blocks.Lock()
	defer blocks.Unlock()
	if p := blocks.underway[block]; p != nil {
		p.judges[tx] = judge
	}
}

// listen tells l of each transaction of a block that has ended or will. Outside a validation nothing ends.
func listen(block *common.Block, l listener) {
	blocks.Lock()
	p := blocks.underway[block]
	if p == nil || slices.Contains(p.listeners, l) {
		blocks.Unlock()
		return
	}
	p.listeners = append(p.listeners, l)
	ended := slices.Clone(p.ended)
	judges := make([]Judge, len(ended))
	for i, tx := range ended {
		judges[i] = p.judges[tx]
	}
	blocks.Unlock()
	for i, tx := range ended {
		l.transactionEnded(block.GetHeader().GetNumber(), uint64(tx), judges[i])
	}
}

// PreValidate records what the transactions up to this one do to validation parameters, and that this plugin must know of their ends.
//
//fork:wrap fix: no transaction waits for ever for one that is refused
func (klv *KeyLevelValidator) PreValidate(txNum uint64, block *common.Block) {
	klv.upstreamPreValidate(txNum, block)
	if l, ok := klv.vpmgr.(listener); ok {
		listen(block, l)
	}
}

// extractDependenciesForTx records which validation parameters a transaction sets: none, if it cannot be read.
//
//fork:replace fix: a transaction that cannot be read sets no validation parameter; it ended or stopped every peer when another one followed in its block
func (klv *KeyLevelValidator) extractDependenciesForTx(blockNum, txNum uint64, envelopeBytes []byte) {
	var results []byte
	if action, err := protoutil.GetActionFromEnvelope(envelopeBytes); err == nil {
		results = action.Results
	} else {
		logger.Warningf("Transaction %d of block %d sets no validation parameter, as it cannot be read: %s", txNum, blockNum, err)
	}
	klv.vpmgr.ExtractValidationParameterDependency(blockNum, txNum, results)
}

func (m *KeyLevelValidationParameterManagerImpl) transactionEnded(block, tx uint64, judge Judge) {
	d := m.validationCtx.forBlock(block).getOrCreateDependencyByTxnum(tx)
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.over, d.judge = true, judge
	d.cond.Broadcast()
}

//fork:fields fix: no transaction waits for ever for one that is refused
type txDependency struct {
	over  bool  // the transaction has its verdict; guarded by mutex
	judge Judge // of namespaces without a result; guarded by mutex
}

// settle waits until there is a result in the namespace, or no plugin is going to give one: then it gets one.
func (d *txDependency) settle(namespace string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	judged := func() bool { _, ok := d.validationResultMap[namespace]; return ok }
	for !judged() && !d.over {
		d.cond.Wait()
	}
	if !judged() && d.judge != nil {
		judge := d.judge
		d.mutex.Unlock() // the plugin records the result
		err := judge(namespace)
		d.mutex.Lock()
		if err != nil {
			return err
		}
	}
	if !judged() {
		d.validationResultMap[namespace] = errNotJudged
	}
	return nil
}

// waitForValidationResults waits for what a key depends on as upstream does, when each has a result. Where the peer failed to judge one, it
// has no verdict on the transaction that waits either.
//
//fork:wrap fix: no transaction waits for ever for one that is refused
func (c *validationContext) waitForValidationResults(kid *ledgerKeyID, blockNum uint64, txnum uint64) error {
	for _, d := range c.dependenciesForTxnum(kid, txnum) {
		if err := d.settle(kid.cc); err != nil {
			return &commonerrors.VSCCExecutionFailureError{Err: err}
		}
	}
	return c.upstreamWaitForValidationResults(kid, blockNum, txnum)
}
