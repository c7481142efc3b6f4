// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyLog(t *testing.T) {
	random, master := strings.Repeat("ab", randomLen), strings.Repeat("CD", masterLen)
	want := bytes.Repeat([]byte{0xcd}, masterLen)
	id := bytes.Repeat([]byte{0xab}, randomLen)
	for name, text := range map[string]string{
		"lf": "CLIENT_RANDOM " + random + " " + master + "\n", "crlf": "# c\r\n\r\nCLIENT_RANDOM " + random + " " + master + "\r\n",
		"no end": "CLIENT_TRAFFIC_SECRET_0 00 11\nCLIENT_RANDOM " + random + " " + master,
	} {
		k, err := NewKeyLog("keys", strings.NewReader(text))
		require.NoError(t, err, name)
		require.Equal(t, want, k.secret(id), name)
		require.Nil(t, k.secret(make([]byte, randomLen)), name)
		require.Nil(t, k.secret(nil), name)
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

// A half line is waited for.
func TestKeyLogGrows(t *testing.T) {
	line := "CLIENT_RANDOM " + strings.Repeat("01", randomLen) + " " + strings.Repeat("02", masterLen) + "\n"
	var file bytes.Buffer
	file.WriteString(line[:100])
	k, err := NewKeyLog("keys", &file)
	require.NoError(t, err)
	id, err := hex.DecodeString(line[14 : 14+2*randomLen])
	require.NoError(t, err)
	require.Nil(t, k.secret(id))
	file.WriteString(line[100:])
	require.Equal(t, bytes.Repeat([]byte{2}, masterLen), k.secret(id))
}

// A file that is refused is so without a byte of it in the error.
func FuzzKeyLog(f *testing.F) {
	f.Add("CLIENT_RANDOM " + strings.Repeat("01", randomLen) + " " + strings.Repeat("02", masterLen) + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := NewKeyLog("keys", strings.NewReader(text))
		if err != nil {
			require.Regexp(t, `^keys: line \d+(: CLIENT_RANDOM must be followed by 32 and 48 bytes in hexadecimal| is too long for a key log)$`, err.Error())
			return
		}
		require.LessOrEqual(t, len(k.secrets), 1+len(text)/(2*masterLen))
	})
}
