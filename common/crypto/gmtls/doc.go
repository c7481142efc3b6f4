// SPDX-License-Identifier: Apache-2.0

// Package gmtls implements TLCP, the transport layer cryptography protocol of
// GB/T 38636-2020, with the algorithms SM2, SM3 and SM4.
//
// The API follows crypto/tls: wrap a net.Conn with [Client] or [Server], or use
// [Dial] and [Listen]. What differs comes from the protocol. Each end that
// authenticates itself holds two certificates, one for signing and one for
// encryption, so a [Certificate] carries two leaf certificates and two private
// keys. There are no extensions that a peer must understand, there is one
// version, and sessions are resumed by identifier from a cache that the server
// keeps.
//
// The package depends on github.com/emmansun/gmsm for the algorithms, on the
// standard library, on golang.org/x/crypto, and on sm2table beside it, which
// needs no more. It logs nothing: a Config can
// carry a trace function instead.
//
// What it refuses to do: it speaks no TLS and no SSL (see [Sniff] for serving
// TLS and TLCP on one port), it has no roots of its own, it does not
// renegotiate, it does not compress, and it has no suites outside SM2, SM3 and
// SM4.
package gmtls
