// SPDX-License-Identifier: Apache-2.0

// Package gmx509 replaces crypto/x509 where certificates may have SM2 keys
// (GB/T 32918, certificates per GB/T 20518). It is imported under the name x509:
//
//	import x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
//
// Certificate, CertificateRequest, RevocationList and all plain constants are those of crypto/x509, so values pass freely
// between code that imports either package. What the standard library cannot do for SM2 is done by
// github.com/emmansun/gmsm/smx509; everything else goes to the standard library unchanged, so a network
// without SM2 behaves exactly as before. The family is decided by the key alone, never by a global setting.
//
// SM2 public keys are *ecdsa.PublicKey on sm2.P256(); private ones are *sm2.PrivateKey. Beware: crypto/ecdsa computes with
// any curve, so an SM2 key that reaches it by mistake makes and accepts ECDSA signatures. The functions here never let it.
//
// Methods of the standard types fail for SM2. Use the functions of this package instead: Verify, CheckSignature,
// CheckSignatureFrom, CheckCRLSignature, CheckRequestSignature, CheckRevocationListFrom.
//
// Settings of Go (GODEBUG) decide nothing about certificates with SM2 keys.
//
// The package refuses what it cannot check: chains that mix SM2 and other families, certificates with curve parameters
// written out instead of named, private keys with other parameters than those of the SM2 curve, SM2 private keys outside [1, n-2] or with the public
// half of another key, SM2 signatures in non-canonical DER, and unbounded work in password-based encryption.
package gmx509
