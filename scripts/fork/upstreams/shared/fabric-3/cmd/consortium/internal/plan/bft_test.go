// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/util"
)

// TestSmartBFT: configtxgen reads the configuration of a plan whose orderers agree by SmartBFT. Each orderer is a consenter there, with what its
// organisation publishes of it.
func TestSmartBFT(t *testing.T) {
	const orderer = "{name: orderer%d, kind: orderer, port: 7%d50, admin: 7%d55, operations: 8%d43}"
	var more []string
	for i := range 4 {
		more = append(more, "          - "+fmt.Sprintf(orderer, i, i, i, i))
	}
	text := strings.Replace(sample(t), "          - "+fmt.Sprintf(orderer, 0, 0, 0, 4), strings.Join(more, "\n"), 1)
	p, err := parse([]byte(strings.Replace(text, "mode: dual", "mode: dual\nconsensus: bft", 1)))
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "out")
	_, err = p.Write("Port", dir)
	require.NoError(t, err)

	profile := genesisconfig.Load("trade", dir)
	require.Equal(t, map[string]bool{"V3_0": true, "GM_V1": true}, profile.Capabilities)
	require.Equal(t, "BFT", profile.Orderer.OrdererType)
	require.Len(t, profile.Orderer.ConsenterMapping, 4)
	require.Equal(t, &genesisconfig.Consenter{
		ID: 3, Host: "orderer2.port.example", Port: 7250, MSPID: "PortMSP",
		Identity:      filepath.Join(dir, "public/Port/orderer2.port.example.identity.crt"),
		ClientTLSCert: filepath.Join(dir, "public/Port/orderer2.port.example.consenter.crt"),
		ServerTLSCert: filepath.Join(dir, "public/Port/orderer2.port.example.consenter.crt"),
	}, profile.Orderer.ConsenterMapping[2])
	require.Equal(t, []uint32{9 << 20, 4 << 20}, []uint32{profile.Orderer.BatchSize.AbsoluteMaxBytes, profile.Orderer.BatchSize.PreferredMaxBytes}, "also for 7 consenters")
	options := profile.Orderer.SmartBFT
	require.True(t, options.SyncOnStart)
	options.RequestBatchMaxCount, options.RequestBatchMaxBytes = 1, 1<<20 // an orderer takes these from BatchSize
	_, err = util.ConfigFromMetadataOptions(1, options)
	require.NoError(t, err)
}
