// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// stockBlocks reads the blocks of a channel from a ledger that stock Fabric wrote, and that comes with its source.
func stockBlocks(t *testing.T) (blocks [][]byte) {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "github.com/hyperledger/fabric")
	download.Dir = filepath.Join("..", "..", "..", "..", "scripts", "fork") // whose go.mod pins upstream
	out, err := download.Output()
	require.NoError(t, err)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))
	data, err := os.ReadFile(filepath.Join(module.Dir, "internal/ledgerutil/testdata/sample_prod/ledgersData/chains/chains/mychannel/blockfile_000000"))
	require.NoError(t, err)
	file := bytes.NewReader(data)
	number := func() uint64 {
		n, err := binary.ReadUvarint(file)
		require.NoError(t, err)
		return n
	}
	text := func() []byte {
		part := make([]byte, number())
		_, err := io.ReadFull(file, part)
		require.NoError(t, err)
		return part
	}
	for file.Len() > 0 {
		number() // the length of the block
		block := &common.Block{Header: &common.BlockHeader{Number: number()}, Data: &common.BlockData{}, Metadata: &common.BlockMetadata{}}
		block.Header.DataHash, block.Header.PreviousHash = text(), text()
		for n := number(); n > 0; n-- {
			block.Data.Data = append(block.Data.Data, text())
		}
		for n := number(); n > 0; n-- {
			block.Metadata.Metadata = append(block.Metadata.Metadata, text())
		}
		blocks = append(blocks, pack(t, block))
	}
	return blocks
}

// TestSignaturesOfStockFabric: what creators, endorsers, administrators and orderers of a real network signed is recognised as signed.
func TestSignaturesOfStockFabric(t *testing.T) {
	var ch *channel
	as := map[string]int{}
	for _, data := range stockBlocks(t) {
		if next, err := parseChannel(data); err == nil {
			ch = next
		}
		require.NotNil(t, ch)
		found, passed, err := signersIn(data, ch)
		require.NoError(t, err)
		block := new(common.Block)
		require.NoError(t, proto.Unmarshal(data, block))
		require.Zero(t, passed, "block %d", block.Header.Number)
		for _, s := range found {
			as[s.as]++
		}
	}
	for _, role := range []string{"creator", "endorser", "administrator", "orderer"} {
		require.NotZero(t, as[role], "%s: %v", role, as)
	}
}
