// SPDX-License-Identifier: Apache-2.0

package externalbuilder_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/core/container/externalbuilder"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/stretchr/testify/require"
)

func TestConnectionJSONWithTLCPPair(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "localhost")
	document, err := json.Marshal(map[string]any{
		"address": "localhost:9999", "tls_required": true, "tls_mode": "gm", "client_auth_required": true,
		"root_cert":   string(ca.CertPEM),
		"client_cert": string(pair.SignCert), "client_key": string(pair.SignKey),
		"client_enc_cert": string(pair.EncCert), "client_enc_key": string(pair.EncKey),
	})
	require.NoError(t, err)
	var data externalbuilder.ChaincodeServerUserData
	require.NoError(t, json.Unmarshal(document, &data))

	info, err := data.ChaincodeServerInfo("")
	require.NoError(t, err)
	options := info.ClientConfig.SecOpts
	require.Equal(t, comm.ClientGM, options.ClientMode)
	require.Empty(t, options.GMClientProtocol, "TLCP")
	cert, err := options.ClientCertificate()
	require.NoError(t, err)
	require.Len(t, cert.Certificate, 2)

	data.GMProtocol = "TLS13"
	info, err = data.ChaincodeServerInfo("")
	require.NoError(t, err)
	require.Equal(t, comm.GMProtocolTLS13, info.ClientConfig.SecOpts.GMClientProtocol)
}

// A file that says null ended the peer when it launched the chaincode.
func TestConnectionJSONOfNull(t *testing.T) {
	instance := &externalbuilder.Instance{ReleaseDir: t.TempDir()}
	require.NoError(t, os.MkdirAll(instance.ChaincodeServerReleaseDir(), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(instance.ChaincodeServerReleaseDir(), "connection.json"), []byte("null"), 0o600))
	_, err := instance.ChaincodeServerInfo()
	require.EqualError(t, err, "connection.json is null; write an object with address, dial_timeout and tls_required")
}

func TestConnectionJSONRefusesContradictions(t *testing.T) {
	for name, test := range map[string]struct {
		data externalbuilder.ChaincodeServerUserData
		want string
	}{
		"unknown mode": {
			externalbuilder.ChaincodeServerUserData{TLSMode: "dual", TLSRequired: true}, "tls_mode",
		},
		"unknown GM protocol": {
			externalbuilder.ChaincodeServerUserData{TLSMode: "gm", TLSRequired: true, GMProtocol: "TLS"}, "gm_protocol",
		},
		"gm without TLS": {
			externalbuilder.ChaincodeServerUserData{TLSMode: "gm"}, "tls_required",
		},
		"encryption pair without gm": {
			externalbuilder.ChaincodeServerUserData{TLSRequired: true, ClientEncCert: "x"}, "client_enc_cert",
		},
		"gm with half a pair": {
			externalbuilder.ChaincodeServerUserData{TLSMode: "gm", TLSRequired: true, ClientAuthRequired: true, ClientEncKey: "x"}, "client_enc_cert",
		},
		"ten nanoseconds": {
			externalbuilder.ChaincodeServerUserData{DialTimeout: 10}, "dial_timeout",
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.data.Address = "cc.example.com:7052"
			if test.data.TLSRequired {
				test.data.RootCert, test.data.ClientCert, test.data.ClientKey = "r", "c", "k"
			}
			_, err := test.data.ChaincodeServerInfo("")
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "cc.example.com:7052")
		})
	}
}
