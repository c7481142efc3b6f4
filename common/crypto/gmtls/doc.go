// SPDX-License-Identifier: Apache-2.0

// Package gmtls implements TLCP, the transport layer cryptography protocol of
// GB/T 38636-2020, with the algorithms SM2, SM3 and SM4, and TLS 1.3 with the
// same ones (RFC 8998).
//
// The API follows crypto/tls. Use [Dial] and [Listen], or wrap a net.Conn with
// [Client] or [Server]. A client needs the authorities of the server in
// Config.RootCAs; a server needs a [Certificate].
//
// The protocols make two differences. In TLCP each authenticated end has two
// certificates, one for signing and one for encryption. A [Certificate]
// therefore has two leaf certificates and two private keys; TLS 1.3 uses the
// signing half. TLCP sessions are resumed by identifier from a cache of the
// server.
//
// Connections use TLCP unless Config.Versions says otherwise. A client speaks one
// of the two protocols. A server recognises it by the first record. See [Sniff]
// for serving TLS and TLCP on one port.
//
// The package never uses the roots of the system. It has no older TLS, no SSL, no
// renegotiation, no compression, no early data, and no suites other than those
// with SM2, SM3 and SM4. It does not log; Config can carry a trace function.
//
// It depends on the standard library, golang.org/x/crypto,
// github.com/emmansun/gmsm for the algorithms, and the package sm2table.
package gmtls
