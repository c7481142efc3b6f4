// SPDX-License-Identifier: Apache-2.0

package ledger

// TxPvtData are the private data of a transaction.
//
//fork:fields fix: a state is made again from private data some of which were purged
type TxPvtData struct {
	FromStore bool // this peer has stored them, and may have purged keys since it compared them with their hash
}
