// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
)

var errNegativeSerial = errors.New("x509: negative serial number")

// checkFixed refuses what the libraries below read or refuse as GODEBUG and the go.mod of the program say: x509negativeserial,
// urlstrictcolons. Programs over different versions of Fabric differ in these, and whether an SM2 identity is valid must depend on
// neither: all peers of a channel judge alike. What is refused is what both libraries refuse by the defaults of Go 1.26.
func checkFixed(serial *big.Int, uris []*url.URL) error {
	if serial.Sign() < 0 {
		return errNegativeSerial
	}
	return checkURIs(uris)
}

// checkURIs refuses a host of http or https with more than one colon, unless it is an address in brackets (RFC 3986, section 3.2.2).
func checkURIs(uris []*url.URL) error {
	for _, uri := range uris {
		if (uri.Scheme == "http" || uri.Scheme == "https") && !strings.HasPrefix(uri.Host, "[") && strings.Count(uri.Host, ":") > 1 {
			return fmt.Errorf("x509: cannot parse URI %q: more than one colon in its host", uri)
		}
	}
	return nil
}
