// SPDX-License-Identifier: Apache-2.0

package encoder

import (
	"bytes"
	"encoding/pem"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
)

// Files of consenters may have any form. What is written has one, and what an orderer or a peer would refuse is not written.
func TestFilesOfConsenters(t *testing.T) {
	dir := t.TempDir()
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "localhost")
	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").CertPEM
	dress := func(text []byte) []byte {
		return slices.Concat([]byte("\xef\xbb\xbfSubject: orderer\r\n"), bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), []byte("\r\n"))
	}
	der, _ := pem.Decode(pair.SignCert)
	read := func(identity, client, server []byte) ([][]byte, error) {
		made, err := consenterProtosFromConfig([]*genesisconfig.Consenter{{
			ID: 1, Host: "orderer", Port: 7050, MSPID: "Org",
			Identity:      gmtlstest.WriteFile(t, dir, "identity.crt", identity),
			ClientTLSCert: gmtlstest.WriteFile(t, dir, "client.crt", client),
			ServerTLSCert: gmtlstest.WriteFile(t, dir, "server.crt", server),
		}})
		if err != nil {
			return nil, err
		}
		return [][]byte{made[0].Identity, made[0].ClientTlsCert, made[0].ServerTlsCert}, nil
	}
	both := slices.Concat(standard, pair.SignCert)
	for name, c := range map[string]struct{ in, want [][]byte }{
		"as written": {[][]byte{pair.SignCert, both, both}, [][]byte{pair.SignCert, both, both}},
		"dressed":    {[][]byte{dress(pair.SignCert), dress(standard), dress(pair.SignCert)}, [][]byte{pair.SignCert, standard, pair.SignCert}},
		"ECDSA":      {[][]byte{dress(standard), standard, standard}, [][]byte{standard, standard, standard}},
		"DER":        {[][]byte{der.Bytes, der.Bytes, der.Bytes}, [][]byte{pair.SignCert, pair.SignCert, pair.SignCert}},
	} {
		got, err := read(c.in[0], c.in[1], c.in[2])
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
	for name, c := range map[string]struct {
		in   [][]byte
		file string
		why  string
	}{
		"identity with its chain":       {[][]byte{slices.Concat(pair.SignCert, ca.CertPEM), standard, standard}, "identity.crt", "it holds 2 certificates"},
		"identity of text":              {[][]byte{[]byte("x"), standard, standard}, "identity.crt", "neither PEM nor DER"},
		"empty identity":                {[][]byte{nil, standard, standard}, "identity.crt", ""},
		"identity that is a key":        {[][]byte{pair.SignKey, standard, standard}, "identity.crt", "private key"},
		"client encryption certificate": {[][]byte{standard, pair.EncCert, standard}, "client.crt", "SM2 encryption certificate"},
		"server text":                   {[][]byte{standard, standard, []byte("x")}, "server.crt", "neither PEM nor DER"},
	} {
		_, err := read(c.in[0], c.in[1], c.in[2])
		require.ErrorContains(t, err, "consenter orderer:7050", name)
		require.ErrorContains(t, err, filepath.Join(dir, c.file), name)
		require.ErrorContains(t, err, c.why, name)
	}
}
