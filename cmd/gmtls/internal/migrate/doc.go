// SPDX-License-Identifier: Apache-2.0

// Package migrate implements gmtls migrate, which helps to move a network from TLS and ECDSA to TLCP and SM2 in stages. It asks the nodes,
// reports the stage of each node and organisation, checks whether the next stage can begin, and writes the updates of the channel
// configuration that a stage needs. It signs none of them. docs/migration.md describes the stages.
package migrate
