// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"
	"github.com/stretchr/testify/require"
)

func TestKeyLog(t *testing.T) {
	random, master := strings.Repeat("ab", randomLen), strings.Repeat("CD", masterLen)
	want := bytes.Repeat([]byte{0xcd}, masterLen)
	id := bytes.Repeat([]byte{0xab}, randomLen)
	for name, text := range map[string]string{
		"lf": "CLIENT_RANDOM " + random + " " + master + "\n", "crlf": "# c\r\n\r\nCLIENT_RANDOM " + random + " " + master + "\r\n",
		"no end": "EXPORTER_SECRET 00 11\nCLIENT_RANDOM " + random + " " + master,
	} {
		k, err := NewKeyLog("keys", strings.NewReader(text))
		require.NoError(t, err, name)
		require.Equal(t, want, k.secret(masterLabel, id), name)
		require.Nil(t, k.secret(masterLabel, make([]byte, randomLen)), name)
		require.Nil(t, k.secret(masterLabel, nil), name)
	}
	for text, wrong := range map[string]string{
		"CLIENT_RANDOM " + random + "\n":                             "keys: line 1: CLIENT_RANDOM must be followed by",
		"\nCLIENT_RANDOM " + random + " " + master[1:] + "\n":        "keys: line 2:",
		"CLIENT_RANDOM " + random + " " + master[:94] + "zz\n":       "keys: line 1:",
		"CLIENT_RANDOM " + random + " " + master + " " + random:      "",
		"CLIENT_RANDOM " + strings.Repeat("0", maxKeyLogLine) + "\n": "keys: line 1 is too long",
	} {
		_, err := NewKeyLog("keys", strings.NewReader(text))
		if wrong == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, wrong)
		require.NotContains(t, err.Error(), "cdcd")
		require.NotContains(t, err.Error(), "CDCD")
	}
}

// Traffic secrets of TLS 1.3 are told apart by their label; those of suites with SHA-384 are ignored.
func TestKeyLog13(t *testing.T) {
	random := strings.Repeat("ab", randomLen)
	id := bytes.Repeat([]byte{0xab}, randomLen)
	text := "SERVER_TRAFFIC_SECRET_0 " + random + " " + strings.Repeat("cd", 48) + "\n"
	for i, label := range []string{clientHandshakeLabel, serverHandshakeLabel, clientTrafficLabel} {
		text += label + " " + random + " " + strings.Repeat(fmt.Sprintf("0%d", i), 32) + "\n"
	}
	k, err := NewKeyLog("keys", strings.NewReader(strings.TrimSpace(text)))
	require.NoError(t, err)
	for i, label := range []string{clientHandshakeLabel, serverHandshakeLabel, clientTrafficLabel} {
		require.Equal(t, bytes.Repeat([]byte{byte(i)}, 32), k.secret(label, id), label)
	}
	require.Nil(t, k.secret(serverTrafficLabel, id))
	require.Nil(t, k.secret(masterLabel, id))
	_, err = NewKeyLog("keys", strings.NewReader("CLIENT_TRAFFIC_SECRET_0 "+random+" 00\n"))
	require.EqualError(t, err, "keys: line 1: CLIENT_TRAFFIC_SECRET_0 must be followed by 32 and 32 bytes in hexadecimal")
}

// A half line is waited for.
func TestKeyLogGrows(t *testing.T) {
	line := "CLIENT_RANDOM " + strings.Repeat("01", randomLen) + " " + strings.Repeat("02", masterLen) + "\n"
	var file bytes.Buffer
	file.WriteString(line[:100])
	k, err := NewKeyLog("keys", &file)
	require.NoError(t, err)
	id, err := hex.DecodeString(line[14 : 14+2*randomLen])
	require.NoError(t, err)
	require.Nil(t, k.secret(masterLabel, id))
	file.WriteString(line[100:])
	require.Equal(t, bytes.Repeat([]byte{2}, masterLen), k.secret(masterLabel, id))
}

// A file that is refused is so without a byte of it in the error.
func FuzzKeyLog(f *testing.F) {
	f.Add("CLIENT_RANDOM " + strings.Repeat("01", randomLen) + " " + strings.Repeat("02", masterLen) + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := NewKeyLog("keys", strings.NewReader(text))
		if err != nil {
			require.Regexp(t, `^keys: line \d+(: [A-Z_0]+ must be followed by 32 and (48|32) bytes in hexadecimal| is too long for a key log)$`, err.Error())
			return
		}
		require.LessOrEqual(t, len(k.secrets), 1+len(text)/(2*sm3.Size))
	})
}
