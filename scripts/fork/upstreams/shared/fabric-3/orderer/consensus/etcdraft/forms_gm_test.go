// SPDX-License-Identifier: Apache-2.0

//fork:file fix: what a leader has accepted reaches the next leader

package etcdraft_test

// cutEach has the chain make a block of each transaction.
func cutEach(c *chain) { c.cutter.SetCutNext(true) }
