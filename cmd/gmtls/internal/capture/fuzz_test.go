// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/capturetest"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
)

// Whatever a file holds, it is read to an end or refused, and the report has
// nothing in it that a terminal obeys.
func FuzzFile(f *testing.F) {
	hello := []byte{22, 1, 1, 0, 45, 1, 0, 0, 41, 1, 1}
	hello = append(append(hello, make([]byte, 33)...), 0, 2, 0xe0, 0x53, 1, 0)
	answer := append(append([]byte{22, 1, 1, 0, 42, 2, 0, 0, 38, 1, 1}, make([]byte, 33)...), 0xe0, 0x53, 0)
	answer = append(answer, 20, 1, 1, 0, 1, 1, 22, 1, 1, 0, 4, 1, 2, 3, 4)
	file, err := capturetest.File(false, 0, []capturetest.Flow{{Client: true, Data: hello}, {Data: answer}})
	require.NoError(f, err)
	f.Add(file)
	lonely := append([]byte{22, 1, 1, 0, 6, 1, 0, 0, 41, 1, 1}, 20, 1, 1, 0, 1, 1, 22, 1, 1, 0, 4, 1, 2, 3, 4)
	file, err = capturetest.File(false, 0, []capturetest.Flow{{Client: true, Data: lonely}})
	require.NoError(f, err)
	f.Add(file)
	var ng bytes.Buffer
	w, err := pcapgo.NewNgWriter(&ng, layers.LinkTypeEthernet)
	require.NoError(f, err)
	require.NoError(f, w.Flush())
	f.Add(ng.Bytes())
	log := "CLIENT_RANDOM " + strings.Repeat("00", 32) + " " + strings.Repeat("01", 48)
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := wire.NewKeyLog("keys", strings.NewReader(log))
		require.NoError(t, err)
		r, err := Read(bytes.NewReader(data), Options{Keys: keys, Payload: 100})
		if err != nil {
			require.NotContains(t, err.Error(), "\x1b")
			return
		}
		var out bytes.Buffer
		r.write(&out)
		require.NotContains(t, out.String(), "\x1b")
		_, err = json.Marshal(r)
		require.NoError(t, err)
	})
}
