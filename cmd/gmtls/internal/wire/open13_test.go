// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// sealer13 seals records under a traffic secret, as RFC 8446 does.
type sealer13 struct {
	aead cipher.AEAD
	iv   []byte
	seq  uint64
}

// expandHex is HKDF-Expand with the info in hexadecimal.
func expandHex(t *testing.T, secret []byte, info string, n int) []byte {
	t.Helper()
	raw, err := hex.DecodeString(info)
	require.NoError(t, err)
	out, err := hkdf.Expand(sm3.New, secret, string(raw), n)
	require.NoError(t, err)
	return out
}

func newSealer13(t *testing.T, secret []byte) *sealer13 {
	t.Helper()
	// HkdfLabel: the length, the label "tls13 key" or "tls13 iv" with its own, no context.
	block, err := sm4.NewCipher(expandHex(t, secret, "0010"+"09746c733133206b6579"+"00", 16))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return &sealer13{aead: aead, iv: expandHex(t, secret, "000c"+"08746c733133206976"+"00", 12)}
}

func (s *sealer13) record(typ uint8, content []byte, padding int) []byte {
	inner := append(append(bytes.Clone(content), typ), make([]byte, padding)...)
	header := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(inner)+16))
	nonce := bytes.Clone(s.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(s.seq >> (56 - 8*i))
	}
	s.seq++
	return s.aead.Seal(bytes.Clone(header), nonce, inner, header)
}

// TestKeyUpdateIsFollowed: what a side sends after KeyUpdate is opened by the next secret (RFC 8446, 7.2), and the other side's
// keys stay as they are.
func TestKeyUpdateIsFollowed(t *testing.T) {
	random := bytes.Repeat([]byte{9}, randomLen)
	secrets := map[string][]byte{}
	var log strings.Builder
	for i, label := range []string{clientHandshakeLabel, serverHandshakeLabel, clientTrafficLabel, serverTrafficLabel} {
		secrets[label] = bytes.Repeat([]byte{byte(i + 1)}, sm3.Size)
		fmt.Fprintf(&log, "%s %x %x\n", label, random, secrets[label])
	}
	keys, err := NewKeyLog("keys", strings.NewReader(log.String()))
	require.NoError(t, err)
	p := &Parser{Version: gmtls.VersionTLS13, Client: &Hello{Random: random}, Server: &Hello{Suites: []uint16{gmtls.TLS_SM4_GCM_SM3}}, Keys: keys, Payload: 9}

	finished := append([]byte{MsgFinished, 0, 0, sm3.Size}, make([]byte, sm3.Size)...)
	update := []byte{24, 0, 0, 1, 0}
	for side, labels := range [][2]string{{clientHandshakeLabel, clientTrafficLabel}, {serverHandshakeLabel, serverTrafficLabel}} {
		p.Feed(side == 0, newSealer13(t, secrets[labels[0]]).record(RecordHandshake, finished, 0), 0)
		first := newSealer13(t, secrets[labels[1]])
		p.Feed(side == 0, first.record(RecordApplicationData, []byte("first"), 300), 0)
		p.Feed(side == 0, first.record(RecordApplicationData, []byte("again"), 0), 0)
		if side == 1 {
			p.Feed(false, first.record(RecordHandshake, update, 0), 0)
			// "tls13 traffic upd"
			next := expandHex(t, secrets[labels[1]], "0020"+"11746c733133207472616666696320757064"+"00", sm3.Size)
			p.Feed(false, newSealer13(t, next).record(RecordApplicationData, []byte("after"), 0), 0)
		}
	}
	var seen []string
	for _, s := range p.Steps {
		seen = append(seen, s.Name+string(s.Payload))
	}
	require.Equal(t, []string{
		"Finished", "ApplicationDatafirst", "ApplicationDataagain",
		"Finished", "ApplicationDatafirst", "ApplicationDataagain", "KeyUpdate", "ApplicationDataafter",
	}, seen)
	require.Equal(t, [2]int{10, 15}, p.Data)
	require.Equal(t, 8, p.Decrypted)
	require.Equal(t, [2]bool{}, p.Sealed)

	forged := newSealer13(t, secrets[clientTrafficLabel]).record(RecordApplicationData, []byte("first"), 0) // the third, with the first's number
	p.Feed(true, forged, 0)
	require.True(t, p.Sealed[0], "a record out of its order is opened")
}
