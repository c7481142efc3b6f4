// SPDX-License-Identifier: Apache-2.0

// Package migrate takes a network from TLS and ECDSA to TLCP and SM2 in stages:
// it tells how far each node and organisation is, whether the next stage can be
// entered, and writes the channel configuration updates that stages need, unsigned.
package migrate
