// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestChains: the file of the chain has the CA and what is above it, in any order. Anything else is refused by the name of the setting, the file
// and the certificate.
func TestChains(t *testing.T) {
	for _, family := range []gmtlstest.Family{gmtlstest.SM2, gmtlstest.ECDSA} {
		root, foreign := gmtlstest.NewFamilyCA(t, family, "root"), gmtlstest.NewFamilyCA(t, family, "foreign")
		middle := root.Intermediate(t, "middle")
		own := middle.Intermediate(t, "own")
		earlier := middle.Intermediate(t, "own") // of an earlier key of this CA
		leaf := own.Issue(t, own.Cert.Subject)
		for name, test := range map[string]struct {
			chain [][]byte // none: there is no file
			want  string   // empty: it is good
		}{
			"child first":              {[][]byte{own.CertPEM, middle.CertPEM, root.CertPEM}, ""},
			"parent first":             {[][]byte{root.CertPEM, middle.CertPEM, own.CertPEM}, ""},
			"one twice":                {[][]byte{own.CertPEM, middle.CertPEM, root.CertPEM, root.CertPEM}, ""},
			"with an earlier one":      {[][]byte{own.CertPEM, earlier.CertPEM, middle.CertPEM, root.CertPEM}, ""},
			"text between":             {[][]byte{own.CertPEM, []byte("# middle\n"), middle.CertPEM, root.CertPEM}, ""},
			"no file":                  {nil, "ca.chainfile: write the certificates of this CA and of those above it there: Chain file does not exist"},
			"not its own":              {[][]byte{middle.CertPEM, root.CertPEM}, "the certificate of this CA, CN=own,O=tests, is not in it"},
			"one between is missing":   {[][]byte{own.CertPEM, root.CertPEM}, "CN=root,O=tests is not above this CA"},
			"no root":                  {[][]byte{own.CertPEM, middle.CertPEM}, "no root is above this CA"},
			"a foreign root":           {[][]byte{own.CertPEM, middle.CertPEM, root.CertPEM, foreign.CertPEM}, "CN=foreign,O=tests is not above this CA"},
			"no CA":                    {[][]byte{own.CertPEM, middle.CertPEM, root.CertPEM, leaf.CertPEM}, "is no certificate of a CA"},
			"a private key":            {[][]byte{own.CertPEM, leaf.KeyPEM, middle.CertPEM, root.CertPEM}, "it is a private key, where only certificates belong"},
			"a certificate cut in two": {[][]byte{own.CertPEM, middle.CertPEM, root.CertPEM[:100]}, "its END line is missing or differs"},
			"one damaged before it":    {[][]byte{root.CertPEM[:100], []byte("\n"), own.CertPEM, middle.CertPEM, root.CertPEM}, "its END line is missing or differs"},
			"one damaged between":      {[][]byte{own.CertPEM, damaged(foreign.CertPEM), middle.CertPEM, root.CertPEM}, "the base64 between is damaged"},
			"no BEGIN line":            {[][]byte{foreign.CertPEM[len("-----BEGIN CERTIFICATE-----"):], own.CertPEM, middle.CertPEM, root.CertPEM}, "the line is damaged"},
			"a byte order mark":        {[][]byte{[]byte("\xef\xbb\xbf"), own.CertPEM, middle.CertPEM, root.CertPEM}, "its certificate 1 is not in plain PEM"},
			"DER":                      {[][]byte{own.Cert.Raw}, "its certificate 1 is not in plain PEM"},
			"empty":                    {[][]byte{{}}, "it is empty"},
		} {
			t.Run(family.String()+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				ca := &CA{Config: &CAConfig{}}
				ca.Config.Intermediate.ParentServer.URL = "https://parent"
				ca.Config.CA.Certfile, ca.Config.CA.Chainfile = gmtlstest.WriteFile(t, dir, "own.crt", own.CertPEM), filepath.Join(dir, "chain.pem")
				if test.chain != nil {
					gmtlstest.WriteFile(t, dir, "chain.pem", slices.Concat(test.chain...))
				}
				err := ca.checkChain()
				if test.want == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, test.want)
				require.ErrorContains(t, err, "ca.chainfile")
				require.ErrorContains(t, err, ca.Config.CA.Chainfile)
			})
		}
	}
}

// damaged has a letter in the base64 of a certificate that is none.
func damaged(text []byte) []byte {
	text = slices.Clone(text)
	text[60] = '*'
	return text
}
