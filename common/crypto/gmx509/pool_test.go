// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAppendCertsFromPEM: as in the standard library, what is not a certificate, has another label or headers is skipped, and a pool says
// whether it took any.
func TestAppendCertsFromPEM(t *testing.T) {
	root := fixtureCert(t, "ca.crt")
	block := func(label string, headers map[string]string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: label, Headers: headers, Bytes: root.Raw})
	}
	for name, text := range map[string][]byte{
		"nothing": nil, "another label": block("TRUSTED CERTIFICATE", nil), "headers": block("CERTIFICATE", map[string]string{"Proc-Type": "4,ENCRYPTED"}),
		"no certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw[:100]}),
	} {
		pool := NewCertPool()
		require.False(t, pool.AppendCertsFromPEM(text), name)
		require.Empty(t, pool.Subjects(), name)
		require.Nil(t, pool.lookup(root.Raw), name)
		require.True(t, pool.AppendCertsFromPEM(append(bytes.Clone(text), block("CERTIFICATE", nil)...)), name)
		require.Len(t, pool.Subjects(), 1, name)
		require.NotNil(t, pool.lookup(root.Raw), name)
	}
}

// TestParseCertificatePEMBound: text beyond the bound is refused before anything of it is decoded.
func TestParseCertificatePEMBound(t *testing.T) {
	root := fixtureCert(t, "ca.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})
	pad := func(size int) []byte { return append(bytes.Clone(text), bytes.Repeat([]byte("\n"), size-len(text))...) }
	_, err := ParseCertificatePEM(pad(maxPEM))
	require.NoError(t, err)
	_, err = ParseCertificatePEM(pad(maxPEM + 1))
	require.ErrorContains(t, err, "more than the")
}
