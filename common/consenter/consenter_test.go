// SPDX-License-Identifier: Apache-2.0

package consenter

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/gmx509test"
)

func TestReadField(t *testing.T) {
	dir := t.TempDir()
	gm := gmtlstest.NewCA(t)
	pair := gm.NewPair(t, "localhost")
	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").CertPEM
	der, _ := pem.Decode(pair.SignCert)
	both := append(append([]byte{}, standard...), pair.SignCert...)
	for name, c := range map[string]struct{ file, want []byte }{
		"PEM":             {pair.SignCert, pair.SignCert},
		"DER":             {der.Bytes, pair.SignCert},
		"byte order mark": {append([]byte("\xef\xbb\xbf"), pair.SignCert...), pair.SignCert},
		"two":             {both, both},
	} {
		got, err := ReadField(gmtlstest.WriteFile(t, dir, "file", c.file))
		require.NoError(t, err, name)
		require.Equal(t, string(c.want), string(got), name)
	}
	noUsage, err := os.ReadFile("../crypto/material/testdata/cases/no-keyusage/server-sign.crt")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"encryption certificate":       {pair.EncCert, ErrEncryption.Error()},
		"encryption certificate first": {append(append([]byte{}, pair.EncCert...), pair.SignCert...), ErrEncryption.Error()},
		"CA":                           {gm.CertPEM, "it is the certificate of a CA"},
		"CA first":                     {append(append([]byte{}, gm.CertPEM...), pair.SignCert...), "it is the certificate of a CA"},
		"no KeyUsage":                  {noUsage, "it has no KeyUsage"},
		"key":                          {pair.SignKey, "private key, where only certificates belong"},
		"text":                         {[]byte("x"), "neither PEM nor DER"},
		"damaged second":               {append(append([]byte{}, standard...), pair.SignCert[:100]...), "object 2"},
	} {
		_, err := ReadField(gmtlstest.WriteFile(t, dir, "file", c.file))
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, filepath.Join(dir, "file"), name)
	}
	_, err = ReadField("../crypto/material/testdata/cases/consenter/enc.pem")
	require.ErrorIs(t, err, ErrEncryption)
	_, err = ReadField(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Error(t, Check(nil))
}

// An identity is read from a file of any form, and written in the one that CheckIdentity takes.
func TestReadIdentity(t *testing.T) {
	dir := t.TempDir()
	gm := gmtlstest.NewCA(t)
	exact := gm.NewPair(t, "localhost").SignCert
	der, _ := pem.Decode(exact)
	for name, file := range map[string][]byte{
		"PEM":             exact,
		"DER":             der.Bytes,
		"byte order mark": append([]byte("\xef\xbb\xbf"), exact...),
		"text around":     append(append([]byte("Subject: orderer\n"), exact...), "\n\n"...),
		"CRLF":            bytes.ReplaceAll(exact, []byte("\n"), []byte("\r\n")),
	} {
		got, err := ReadIdentity(gmtlstest.WriteFile(t, dir, "file", file))
		require.NoError(t, err, name)
		require.Equal(t, string(exact), string(got), name)
		require.NoError(t, CheckIdentity(got), name)
		if name != "PEM" {
			require.Error(t, CheckIdentity(file), name)
		}
	}
	odd := ""
	for form, bytes := range gmx509test.DER(der.Bytes) {
		if _, err := gmx509.ParseCertificate(bytes); err == nil {
			odd = form
		}
	}
	require.NotEmpty(t, odd)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"chain":     {append(append([]byte{}, exact...), gm.CertPEM...), "it holds 2 certificates"},
		"text":      {[]byte("x"), "neither PEM nor DER"},
		"empty":     {nil, ""},
		"other DER": {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gmx509test.DER(der.Bytes)[odd]}), "have the CA issue the certificate in DER"},
	} {
		_, err := ReadIdentity(gmtlstest.WriteFile(t, dir, "file", c.file))
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, filepath.Join(dir, "file"), name)
	}
	_, err := ReadIdentity(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
