// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
)

// TestHashesOfBlocks compares with what "openssl dgst -sm3" and "openssl dgst -sha256" give for data and header.
func TestHashesOfBlocks(t *testing.T) {
	data := &common.BlockData{Data: [][]byte{[]byte("one"), []byte("two")}}
	bytesOf := func(text string) []byte {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		return b
	}
	sha := sha256.Sum256([]byte("onetwo"))
	name, err := proto.Marshal(&common.HashingAlgorithm{Name: "SM3"})
	require.NoError(t, err)
	ofSM3 := &common.ConfigGroup{Values: map[string]*common.ConfigValue{"HashingAlgorithm": {Value: name}}}
	dataSM3 := bytesOf("cda60120418728beacd10cf516d9511d1dae4bcb6e223eee18a1ca225176377ef5ea59ae")
	ones := bytes.Repeat([]byte{0x11}, 32)
	for _, test := range []struct {
		name   string
		header *common.BlockHeader
		group  *common.ConfigGroup
		note   string
		wrong  bool
	}{
		{"SM3", &common.BlockHeader{Number: 7, PreviousHash: append(bytesOf("cda60120"), ones...), DataHash: dataSM3}, nil,
			"hash by SM3 cda601204836cc4d94b65ad02262eddc84cbadd3c39668ede51d781d1746944b9c4714ed", false},
		{"SHA-256", &common.BlockHeader{Number: 7, PreviousHash: ones, DataHash: sha[:]}, nil, "hash by SHA-256 4e41f44468f96de971ccd8acab515d22d4fde931f18fa3286d57330536c11ed8", false},
		{"first of SM3", &common.BlockHeader{DataHash: dataSM3}, ofSM3, "hash by SM3 ", false},
		{"first of SM3 with SHA-256", &common.BlockHeader{DataHash: sha[:]}, ofSM3, "hash by SM3 ", true},
		{"SHA-256 behind SM3", &common.BlockHeader{Number: 7, PreviousHash: append(bytesOf("cda60120"), ones...), DataHash: sha[:]}, nil, "hash by SM3 ", true},
		{"SM3 behind SHA-256", &common.BlockHeader{Number: 7, PreviousHash: ones, DataHash: dataSM3}, nil, "hash by SHA-256 ", true},
		{"a bit", &common.BlockHeader{Number: 7, PreviousHash: ones, DataHash: append([]byte{sha[0] ^ 1}, sha[1:]...)}, nil, "hash by SHA-256 ", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &Report{now: fuzzNow}
			note, err := r.hashes("file", &common.Block{Header: test.header, Data: data}, test.group)
			require.NoError(t, err)
			require.Contains(t, note, test.note)
			if !test.wrong {
				require.Empty(t, r.Findings)
				return
			}
			require.Len(t, r.Findings, 1)
			require.Equal(t, cause.BlockHash, r.Findings[0].Cause)
		})
	}
}
