// SPDX-License-Identifier: Apache-2.0

// Package network describes Fabric networks as data and runs them: natively, as processes on the loopback
// interface, or in Docker.
//
// A Topology names every organisation and node with its addresses; Plan makes the standard ones from a few
// Options. Up turns a topology into certificates, a channel, running nodes and a committed chaincode; Open finds a
// network that an earlier process started, and its methods submit, inspect, break and stop it.
//
// The package drives the built binaries as an operator would (cryptogen, configtxgen, osnadmin, peer) and talks
// to a network as an application would (pkg/gmgateway). It links none of Fabric's own packages, so that what passes
// here also works for a user who has the binaries alone.
//
// Changes of modes, identities, certificates and consensus, which tests alone make, are in integration/e2e. They use what is exported here.
//
// Everything a network owns lives in one state directory (build/network unless told otherwise); Down stops the
// processes recorded there, and no others, and removes the directory.
package network
