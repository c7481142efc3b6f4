// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/pem"
	"strings"

	"github.com/hyperledger/fabric/common/crypto"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/util"
)

// A RemoteNode's ServerTLSCert and ClientTLSCert are the DER of one certificate or of two, one behind the other: the standard
// and the SM2 signing one of a node that speaks both TLS and TLCP.

// earliestExpiring parses the certificates of a node and returns the one that expires first, for warnings.
func earliestExpiring(der []byte) (*x509.Certificate, error) {
	var first *x509.Certificate
	for _, piece := range crypto.SplitCertificates(der) {
		cert, err := x509.ParseCertificate(piece)
		if err != nil {
			return nil, err
		}
		if first == nil || cert.NotAfter.Before(first.NotAfter) {
			first = cert
		}
	}
	return first, nil
}

// DERtoPEM returns one PEM block for each certificate.
//
//fork:replace gm: print each certificate of a node that has two
func DERtoPEM(der []byte) string {
	var out strings.Builder
	for _, piece := range crypto.SplitCertificates(der) {
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: piece})
	}
	return out.String()
}

// bindingHash returns the SHA-256 of the client certificate that the puller's connections present, by which the remote side
// ties the request to the connection. Mode and certificates of a dialer can change while it runs; a change between
// handshake and request costs one attempt, which the puller repeats.
func (p *BlockPuller) bindingHash() []byte {
	if d, ok := p.Dialer.(*StandardDialer); ok {
		if hash := d.Config.SecOpts.BindingHash(); hash != nil {
			return hash
		}
	}
	return util.ComputeSHA256(p.TLSCert)
}
