// SPDX-License-Identifier: Apache-2.0

// Package gm provides the national algorithms to Fabric's BCCSP: SM2 (GB/T 32918), SM3 (GB/T 32905) and SM4 (GB/T 32907).
//
// Register adds them to the software provider, which then serves both families. The key or the options of each call decide
// which family is used; there is no switch. The algorithms are those of github.com/emmansun/gmsm, with faster code from
// common/crypto. This package adds Fabric's key objects, key files, strict checks of input, and a self-test.
package gm
