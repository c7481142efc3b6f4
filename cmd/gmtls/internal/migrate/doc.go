// SPDX-License-Identifier: Apache-2.0

// Package migrate helps to move a network from TLS and ECDSA to TLCP and SM2 in stages.
// It asks the nodes, reports the stage of each node and organisation, checks whether
// the next stage can be entered, and writes the channel configuration updates that
// stages need. It does not sign them.
package migrate
