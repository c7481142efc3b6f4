// SPDX-License-Identifier: Apache-2.0

// Package sampleconfig holds the sample configuration of this version, for programs that write a node's own.
package sampleconfig

import _ "embed"

// Core is core.yaml of a peer.
//
//go:embed core.yaml
var Core []byte

// Orderer is orderer.yaml.
//
//go:embed orderer.yaml
var Orderer []byte
