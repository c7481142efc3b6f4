// SPDX-License-Identifier: Apache-2.0

package roots

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/stretchr/testify/require"
)

// TestTLCPPair: what peers refuse for the use is refused before they see it. A pair that has ended is left to them, as it may not be asked for.
func TestTLCPPair(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	good, other := ca.NewPair(t, "peer0"), ca.NewPair(t, "peer0")
	mixed := good
	mixed.EncCert, mixed.EncKey = other.EncCert, other.EncKey
	for name, test := range map[string]struct {
		pair gmtlstest.Pair
		want string
	}{
		"good":         {good, ""},
		"ended":        {ca.NewPairUntil(t, time.Now().Add(-time.Hour), "peer0"), ""},
		"two subjects": {mixed, "differ in subject or issuer"},
		"another use":  {ca.NewPairFor(t, x509.ExtKeyUsageServerAuth, "peer0"), "incompatible key usage"},
	} {
		_, err := TLCPPair(test.pair.SignCert, test.pair.SignKey, test.pair.EncCert, test.pair.EncKey, x509.ExtKeyUsageClientAuth)
		if test.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, "peers would refuse the pair", name)
		require.ErrorContains(t, err, test.want, name)
	}
}
