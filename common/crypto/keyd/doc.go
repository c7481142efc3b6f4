// SPDX-License-Identifier: Apache-2.0

// Package keyd is the client of gmkeyd, the daemon that holds the connection to a cryptographic device (SDF of GM/T 0018, or
// PKCS #11), and the protocol between them. A node names a key of the device by a small file, the reference, which stands
// where a file with a private key would stand; ParseReference makes a Key of it, which signs and decrypts in the device.
//
// The daemon is reached by a Unix socket on the same host alone. Nothing of it is trusted: a signature is verified with the
// public key that the reference holds before it is handed out, so neither another key in the device nor a faulty device can
// make a node sign wrongly. Operations change nothing in the device, therefore one that was cut off by a restart of the
// daemon is repeated until its time is over.
//
// The package needs nothing of Fabric.
package keyd
