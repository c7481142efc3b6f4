// SPDX-License-Identifier: Apache-2.0

package genesisconfig

// Profile describes a channel.
//
//fork:fields gm: the algorithm by which the channel's blocks are hashed
type Profile struct {
	HashingAlgorithm string `yaml:"HashingAlgorithm"` // SHA256 (also when empty) or SM3
}
