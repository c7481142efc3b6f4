// SPDX-License-Identifier: Apache-2.0

// Package gmtls implements TLCP, the transport layer cryptography protocol of
// GB/T 38636-2020, with the algorithms SM2, SM3 and SM4, and TLS 1.3 with the
// same ones (RFC 8998).
//
// The API follows crypto/tls: wrap a net.Conn with [Client] or [Server], or use
// [Dial] and [Listen]. What differs comes from the protocols. Each end that
// authenticates itself by TLCP holds two certificates, one for signing and one
// for encryption, so a [Certificate] carries two leaf certificates and two
// private keys; TLS 1.3 uses the signing half. Sessions are resumed by
// identifier from a cache that the server keeps.
//
// TLCP is what is spoken unless Config.Versions says otherwise. The two share no
// ClientHello: a client speaks one of them, and a server knows by the first
// record which one that is.
//
// The package depends on github.com/emmansun/gmsm for the algorithms, on the
// standard library, on golang.org/x/crypto, and on sm2table beside it, which
// needs no more. It logs nothing: a Config can
// carry a trace function instead.
//
// What it refuses to do: it speaks no older TLS and no SSL (see [Sniff] for
// serving TLS and TLCP on one port), it has no roots of its own, it does not
// renegotiate, it does not compress, it takes and sends no early data, and it has
// no suites outside SM2, SM3 and SM4.
package gmtls
