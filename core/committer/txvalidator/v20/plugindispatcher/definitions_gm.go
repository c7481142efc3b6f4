// SPDX-License-Identifier: Apache-2.0

//fork:file perf: the definition of a chaincode is read once for a block

package plugindispatcher

import (
	"bytes"
	"sync"
	"weak"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
)

// lifecycleNamespace is the namespace of chaincode definitions. Its policy comes from the configuration of the channel and not from
// the state, so it is looked up for each transaction.
const lifecycleNamespace = "_lifecycle"

// blockDefinitions keeps what the state says about the validation of each chaincode, for the transactions of one block. The state does not
// change while a block is validated: a channel's blocks are validated and committed one after another, and what a block writes, definitions
// included, counts from the next block on.
type blockDefinitions struct {
	lock  sync.Mutex
	block weak.Pointer[common.Block]
	of    map[string]definition
}

// definition is a validation plugin and its arguments.
type definition struct {
	plugin string
	args   []byte
}

// start forgets the definitions if block is another one than before.
func (b *blockDefinitions) start(block *common.Block) {
	this := weak.Make(block)
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.of == nil || b.block != this {
		b.block, b.of = this, map[string]definition{}
	}
}

func (b *blockDefinitions) get(chaincode string) (definition, bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	d, ok := b.of[chaincode]
	return d, ok
}

// put keeps a definition that was read during a block. Outside blocks nothing is kept.
func (b *blockDefinitions) put(chaincode string, d definition) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.of != nil {
		b.of[chaincode] = d
	}
}

//fork:fields perf: the definitions that the transactions of a block share
type dispatcherImpl struct {
	definitions blockDefinitions
}

// Dispatch validates a transaction as upstream does.
//
//fork:wrap perf: the definition of a chaincode is read once for a block
func (v *dispatcherImpl) Dispatch(seq int, payload *common.Payload, envBytes []byte, block *common.Block) (peer.TxValidationCode, error) {
	v.definitions.start(block)
	return v.upstreamDispatch(seq, payload, envBytes, block)
}

// getCDataForCC returns the plugin that validates transactions of a chaincode, and its arguments. Errors are not kept.
//
//fork:wrap perf: the definition of a chaincode is read once for a block
func (v *dispatcherImpl) getCDataForCC(channelID, ccid string) (string, []byte, error) {
	if ccid == lifecycleNamespace {
		return v.upstreamGetCDataForCC(channelID, ccid)
	}
	if d, ok := v.definitions.get(ccid); ok {
		return d.plugin, bytes.Clone(d.args), nil // plugins of operators get them
	}
	plugin, args, err := v.upstreamGetCDataForCC(channelID, ccid)
	if err == nil {
		v.definitions.put(ccid, definition{plugin, bytes.Clone(args)})
	}
	return plugin, args, err
}
