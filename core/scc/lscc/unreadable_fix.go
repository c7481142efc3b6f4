// SPDX-License-Identifier: Apache-2.0

package lscc

// Below V2_0 one member can have any bytes committed under the name of a chaincode. Each peer reads them while it commits their block, and
// upstream's commits no block with such that cannot be read.

// absent says that what cannot be read is not there.
func absent(chaincodeName, what string, err error) error {
	logger.Warningf("The %s of chaincode %q cannot be read, and counts as absent: %s", what, chaincodeName, err)
	return nil
}
