// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// Operators are the clients that may make changes, by the SHA-256 of their
// certificate in DER. If there are none, nobody may make changes.
type Operators map[[sha256.Size]byte]struct{}

// ParseOperators reads SHA-256 fingerprints of certificates: 64 hexadecimal
// digits, in either case, with or without colons between the bytes. The caller
// adds the configuration key to the error.
func ParseOperators(fingerprints []string) (Operators, error) {
	operators := make(Operators, len(fingerprints))
	for _, text := range fingerprints {
		sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("%q is not a SHA-256 fingerprint of a certificate: give 64 hexadecimal digits, as openssl x509 -noout -fingerprint -sha256 prints them behind the equals sign", text)
		}
		operators[[sha256.Size]byte(sum)] = struct{}{}
	}
	return operators, nil
}

// check refuses a client that may not make changes.
func (o Operators) check(state *tls.ConnectionState) error {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return errors.New("a change needs a verified client certificate: enable TLS on the operations server and configure its client root CAs")
	}
	cert := state.VerifiedChains[0][0]
	sum := sha256.Sum256(cert.Raw)
	if _, ok := o[sum]; !ok {
		return fmt.Errorf("the certificate %q is not an operator's: to let it make changes, add its SHA-256 fingerprint %x to the operators of the operations server (operations.operators in core.yaml, Operations.Operators in orderer.yaml)", cert.Subject, sum)
	}
	return nil
}

// checkSwitch refuses to switch the listener of the role own, by which the change is asked for, to a mode in which the client, who is the only
// operator, cannot come back: TLS does not take SM2 certificates, and the GM protocols take no others. Of several operators only
// the fingerprints are known.
func (o Operators) checkSwitch(own string, c tlsstatus.Change, client *x509.Certificate) error {
	if len(o) != 1 || c.ServerMode == "" || c.Role != "" && c.Role != own {
		return nil
	}
	served, present, needed := c.ServerMode.TLS(), "for TLS", "SM2"
	if gmx509.IsSM2(client.PublicKey) {
		served, present, needed = c.ServerMode.GM(), "SM2", "for TLS"
	}
	if served {
		return nil
	}
	return fmt.Errorf("%s would be in mode %s without an operator: %q is the only one, and its certificate is %s; first add the SHA-256 fingerprint of one that is %s to the operators of the operations server, and restart the node, or name another role",
		own, c.ServerMode, client.Subject, present, needed)
}
