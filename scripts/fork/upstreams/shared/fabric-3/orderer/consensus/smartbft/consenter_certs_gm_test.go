// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"bytes"
	"slices"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	consenters "github.com/hyperledger/fabric/common/consenter"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/util"
)

// A consenter's certificates are judged before a configuration that names them is ordered.
func TestCheckConsenter(t *testing.T) {
	gm := gmtlstest.NewCA(t)
	pair := gm.NewPair(t, "localhost")
	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").CertPEM
	for name, c := range map[string]struct {
		identity, client, server []byte
		want                     string
	}{
		"SM2":                    {pair.SignCert, pair.SignCert, pair.SignCert, ""},
		"ECDSA":                  {standard, standard, standard, ""},
		"two TLS certificates":   {pair.SignCert, slices.Concat(standard, pair.SignCert), slices.Concat(standard, pair.SignCert), ""},
		"no identity":            {nil, pair.SignCert, pair.SignCert, "identity: "},
		"damaged identity":       {pair.SignCert[:200], pair.SignCert, pair.SignCert, "identity: "},
		"no client certificate":  {pair.SignCert, nil, pair.SignCert, "client_tls_cert: it holds no certificate"},
		"encryption certificate": {pair.SignCert, pair.SignCert, pair.EncCert, "server_tls_cert: " + consenters.ErrEncryption.Error()},
		"no server certificate":  {pair.SignCert, pair.SignCert, []byte("x"), "server_tls_cert: it holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			err := util.CheckConsenter(&cb.Consenter{Identity: c.identity, ClientTlsCert: c.client, ServerTlsCert: c.server})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A TLS field gives the DER of each certificate in it, and both are parsed.
func TestConsenterFieldsOfBothFamilies(t *testing.T) {
	pair := gmtlstest.NewCA(t).NewPair(t)
	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").CertPEM
	block, _ := decodeIdentity(slices.Concat(standard, pair.SignCert))
	first, err := parseConsenterCertificates(block.Bytes)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(block.Bytes, first.Raw))
	require.Greater(t, len(block.Bytes), len(first.Raw), "the second certificate is missing")
	block.Bytes[len(first.Raw)+8] ^= 1
	_, err = parseConsenterCertificates(block.Bytes)
	require.Error(t, err, "the second certificate is not looked at")
	_, err = parseConsenterCertificates(nil)
	require.Error(t, err)
}
