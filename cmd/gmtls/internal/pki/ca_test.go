// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"encoding/asn1"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// TestBasicConstraints: a CA has the extension. A leaf has none, as GmSSL refuses the empty SEQUENCE that it would be.
func TestBasicConstraints(t *testing.T) {
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	ca, err := NewCA("root", true, from, to)
	require.NoError(t, err)
	has := func(c *x509.Certificate) bool {
		for _, ext := range c.Extensions {
			if slices.Equal(ext.Id, asn1.ObjectIdentifier{2, 5, 29, 19}) {
				return true
			}
		}
		return false
	}
	require.True(t, has(ca.Cert))
	leaf, _, err := ca.Issue(Leaf("peer", []string{"peer"}, SignUsage, from, to))
	require.NoError(t, err)
	require.False(t, has(leaf))
}
