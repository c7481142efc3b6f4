// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/protoutil"
)

// transactionOf returns the transaction in a message of a block, without actions if it cannot be read: then it is invalid, and the filtered
// block says so.
func transactionOf(data []byte) (*peer.Transaction, error) {
	tx, err := protoutil.UnmarshalTransaction(data)
	if err != nil {
		logger.Debugf("A filtered block has a transaction without actions, as it cannot be read: %s", err)
		return &peer.Transaction{}, nil
	}
	return tx, nil
}

// passOver says that a filtered block lacks a message without a name that a listener could wait for: it is invalid, and only a consenter can
// have put it there.
func passOver(index int, err error) {
	logger.Debugf("A filtered block lacks message %d of its block, as it cannot be read: %s", index, err)
}

// toFilteredActions returns the events of a transaction, none if its actions cannot be read.
//
//fork:wrap fix: a malformed transaction does not keep the verdicts on the others of its block from listeners
func (ta transactionActions) toFilteredActions() (*peer.FilteredTransaction_TransactionActions, error) {
	actions, err := ta.upstreamToFilteredActions()
	if err != nil {
		logger.Debugf("A filtered block has a transaction without actions, as they cannot be read: %s", err)
		actions = &peer.FilteredTransaction_TransactionActions{TransactionActions: &peer.FilteredTransactionActions{}}
	}
	return actions, nil
}
