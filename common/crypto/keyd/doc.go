// SPDX-License-Identifier: Apache-2.0

// Package keyd is the client of gmkeyd, the daemon that holds the connection to a cryptographic device (SDF of GM/T 0018, or
// PKCS #11), and the protocol between them. A node has a small file, the reference, in the place of a file with
// a private key. ParseReference returns a Key for it, which signs and decrypts in the device.
//
// The daemon listens on a Unix socket of the same host. The package does not trust it: it verifies each signature with the
// public key in the reference before it returns the signature. A faulty device, or another key in it, therefore cannot make a
// node sign wrongly. Operations change nothing in the device, so the package repeats one that a restart of the daemon cut off,
// until the time of the operation is over.
//
// The package needs nothing of Fabric.
package keyd
