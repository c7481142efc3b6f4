// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/core/chaincode/persistence"
	"github.com/hyperledger/fabric/internal/ccpackage"
)

// TestPackage: the peer's own reader takes the package, and comes to the same id.
func TestPackage(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "ledger.bank.example")
	s := ccpackage.Service{
		Label: "ledger_1", Address: "ledger.bank.example:7060", Mode: "gm", RootCert: string(ca.CertPEM),
		ClientCert: string(pair.SignCert), ClientKey: string(pair.SignKey), ClientEncCert: string(pair.EncCert), ClientEncKey: string(pair.EncKey),
	}
	data, id, err := ccpackage.Make(s)
	require.NoError(t, err)
	again, _, err := ccpackage.Make(s)
	require.NoError(t, err)
	require.Equal(t, data, again)
	read, err := persistence.ChaincodePackageParser{MetadataProvider: noMetadata{}}.Parse(data)
	require.NoError(t, err)
	require.Equal(t, "ccaas", read.Metadata.Type)
	require.Equal(t, "ledger_1", read.Metadata.Label)
	require.Equal(t, persistence.PackageID("ledger_1", data), id)

	for want, change := range map[string]func(*ccpackage.Service){
		"label":        func(s *ccpackage.Service) { s.Label = "../x" },
		`"address"`:    func(s *ccpackage.Service) { s.Address = "nowhere" },
		`"root_cert"`:  func(s *ccpackage.Service) { s.RootCert = "" },
		`"tls_mode"`:   func(s *ccpackage.Service) { s.Mode = "tlcp" },
		`"client_enc`:  func(s *ccpackage.Service) { s.ClientEncKey = "" },
		`"client_key"`: func(s *ccpackage.Service) { s.ClientKey = string(pair.EncKey) },
	} {
		wrong := s
		change(&wrong)
		_, _, err := ccpackage.Make(wrong)
		require.ErrorContains(t, err, want)
	}
}

type noMetadata struct{}

func (noMetadata) GetDBArtifacts([]byte) ([]byte, error) { return nil, nil }
