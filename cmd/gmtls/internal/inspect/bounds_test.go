// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestFileNamedOftenIsReadOnce: a few bytes of a stranger's profile name a file. It is read once however often it is named, and a leaf in it is still
// found where only CAs belong.
func TestFileNamedOftenIsReadOnce(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	leaf := ca.Issue(t, pkix.Name{CommonName: "leaf"})
	for count, text := range map[int][]byte{20: append(leaf.CertPEM, ca.CertPEM...), 3 * maxReferenced: append(ca.CertPEM, ca.CertPEM...)} {
		bundle := gmtlstest.WriteFile(t, t.TempDir(), "bundle.pem", bytes.Repeat(text, 50))
		peers := map[string]any{}
		for i := range count {
			peers[fmt.Sprintf("peer%d", i)] = map[string]any{"tlsCACerts": map[string]string{"path": bundle}}
		}
		profile, err := json.Marshal(map[string]any{"peers": peers})
		require.NoError(t, err)
		r := &Report{now: time.Now()}
		items, err := r.load(gmtlstest.WriteFile(t, t.TempDir(), "profile.json", profile))
		require.NoError(t, err)
		require.Len(t, items, 101)
		told := fmt.Sprint(r.Findings)
		require.Equal(t, count > maxReferenced, strings.Contains(told, "profiles name files more than 1000 times"))
		require.Equal(t, count == 20, strings.Contains(told, "not-a-ca") && strings.Contains(told, "peer19:tlsCACerts"))
	}
}

// TestManyObjects: what is said of many keys and certificates is no more than one line for each, and no more of them are read than can be compared.
func TestManyObjects(t *testing.T) {
	leaf := gmtlstest.NewCA(t).Issue(t, pkix.Name{CommonName: "leaf"})
	out := inspected(t, "all.pem", bytes.Repeat(append(leaf.CertPEM, leaf.KeyPEM...), 700))
	require.Contains(t, out, "its key is ")
	require.Less(t, len(out), 2<<20, "%s", out[:min(len(out), 4000)])

	ca, err := pki.NewCA("ca", true, time.Now().Add(-time.Hour), time.Now().AddDate(9, 0, 0))
	require.NoError(t, err)
	data, err := json.Marshal(slices.Repeat([]string{string(pki.CertPEM(ca.Cert))}, maxObjects+1))
	require.NoError(t, err)
	r := &Report{now: time.Now()}
	require.Equal(t, maxObjects+1, len(r.parse("all.json", data))) // with the document
	require.Len(t, r.Findings, 1)
	require.Contains(t, r.Findings[0].Detail, "there are more than 5000 certificates, lists and keys")
}
