// SPDX-License-Identifier: Apache-2.0

// Package material reads certificates, revocation lists and private keys from files. Nodes, commands, the kits under pkg
// and gmtls read all of theirs with it, so that a file means the same to each of them.
//
//	roots, err := material.ReadCertificates("tlsca/gm-ca.crt")     // nothing but certificates, at least one
//	lists, err := material.ReadLists("crls/org1.crl")              // nothing but revocation lists, at least one
//
//	file, err := material.Read("tls/server.pem")                   // whatever it holds
//	chain, err := file.Chain(nil)                                  // the owner's certificate first, then its issuers
//	key, err := file.PrivateKey(passphrase)                        // the one private key
//
// Parse, ParseCertificates and ParseLists do the same with other text, for example with a field of a profile. Errors then have
// the name of the field. Nothing reads a file a second time.
//
// A file is PEM (RFC 7468) or DER. PEM may have LF, CR LF or CR line ends, a UTF-8 byte order mark, indented lines, text
// between the objects, and objects that are joined without a line break. Both may hold several objects.
//
// Labels are CERTIFICATE, X509 CRL, PRIVATE KEY, ENCRYPTED PRIVATE KEY, EC PRIVATE KEY, SM2 PRIVATE KEY, RSA PRIVATE
// KEY and KEY REFERENCE (of package keyd, for a key in a device). EC PARAMETERS and SM2 PARAMETERS, which openssl writes before a
// key, are ignored, because the key has the same content. Nothing else is ignored. Each BEGIN line must begin an object, and each
// object must be one of these and parse to its end. Everything else is an *Error that says where it is, what it is, and what to do: TRUSTED
// CERTIFICATE, requests, PKCS #7, PKCS #12, keys in the envelopes of Chinese CAs, UTF-16, bare base64, damaged lines.
//
// The family of a certificate or key, SM2 or standard, is that of its key (gmx509.IsSM2). Keys are decoded only on
// request, because encrypted keys need a passphrase.
//
// The package only reads. It does not check validity, usage, chains or signatures. Chain puts certificates in order by their
// signatures, and proves nothing else.
package material
