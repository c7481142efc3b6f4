// SPDX-License-Identifier: Apache-2.0

package msp

import x509 "github.com/hyperledger/fabric/common/crypto/gmx509"

// getValidityOptsForCert returns the options by which a chain of cert is built.
//
//fork:wrap fix: no certificate is judged by the clock of a node, not even one that begins when the year 0 ends
func (msp *bccspmsp) getValidityOptsForCert(cert *x509.Certificate) x509.VerifyOptions {
	opts := msp.upstreamGetValidityOptsForCert(cert)
	opts.CurrentTime = x509.JudgedAt(cert)
	return opts
}
