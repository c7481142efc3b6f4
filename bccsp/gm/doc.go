// SPDX-License-Identifier: Apache-2.0

// Package gm provides the national algorithms to Fabric's BCCSP: SM2 (GB/T 32918), SM3 (GB/T 32905) and SM4 (GB/T 32907).
//
// Register adds them to the software provider, which then serves both families. Which one is used follows from the key
// or the options of each call; there is no switch. The crypto engine is github.com/emmansun/gmsm; this package
// adds Fabric's key objects, key files, strict checks on what comes in, and a self-test.
//
// It holds no state besides keys and imports no other packages of Fabric than bccsp, gmx509 and sm2table.
package gm
