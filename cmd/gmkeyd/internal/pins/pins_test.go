// SPDX-License-Identifier: Apache-2.0

package pins

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
	"github.com/stretchr/testify/require"
)

// started is a process that begins: it knows what the file says.
func started(t *testing.T, path string) func(whom, pin string, answer error) (sent bool, err error) {
	t.Helper()
	f := At(path)
	return func(whom, pin string, answer error) (sent bool, err error) {
		err = f.Send(whom, []byte(pin), func() error { sent = true; return answer })
		return sent, err
	}
}

func coded(class device.Class) error {
	return &device.Error{Call: "C_Login", Code: 0xA0, Name: "CKR_X", Class: class}
}

// A refused PIN is sent once to each whom it is for, until another one is accepted.
func TestRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.refused")
	sent, err := started(t, path)("a", "1234", coded(device.Pin))
	require.True(t, sent)
	require.Equal(t, coded(device.Pin), err)
	for range 2 {
		sent, err = started(t, path)("a", "1234", nil)
		require.False(t, sent)
		require.ErrorIs(t, err, device.ErrPIN)
		require.ErrorContains(t, err, "it was refused before (C_Login returned 0x000000A0 (CKR_X)): correct it, or remove "+path)
	}
	sent, err = started(t, path)("b", "1234", nil)
	require.True(t, sent)
	require.NoError(t, err)
	send := started(t, path)
	sent, err = send("a", "12345", coded(device.Pin))
	require.True(t, sent, "it is another one")
	require.Error(t, err)
	sent, _ = send("a", "12345", nil)
	require.False(t, sent, "in the same process")
	sent, err = send("a", "4321", nil)
	require.True(t, sent)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "{}", string(text))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode())
}

// A PIN that was accepted once may be refused later, as one that was changed in the token.
func TestRefusedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.refused")
	send := started(t, path)
	_, err := send("a", "1234", nil)
	require.NoError(t, err)
	_, err = send("a", "1234", coded(device.Pin))
	require.Error(t, err)
	sent, _ := started(t, path)("a", "1234", nil)
	require.False(t, sent)
}

// A process that ends while it sends a PIN, as by a library that crashes, does not send it for ever. One that did not arrive is sent again.
func TestUnanswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.refused")
	for _, class := range []device.Class{device.Lost, device.Broken} {
		for range 2 * unanswered {
			sent, _ := started(t, path)("a", "1234", coded(class))
			require.True(t, sent)
		}
	}
	crash := func() (sent bool, err error) {
		defer func() { _ = recover() }()
		err = At(path).Send("a", []byte("1234"), func() error { sent = true; panic("the library crashes") })
		return sent, err
	}
	for range unanswered {
		sent, _ := crash()
		require.True(t, sent)
	}
	sent, err := crash()
	require.False(t, sent)
	require.ErrorIs(t, err, device.ErrPIN)
	require.ErrorContains(t, err, "it was sent 3 times without an answer")
	sent, err = started(t, path)("a", "another", nil)
	require.True(t, sent)
	require.NoError(t, err)
	// What was accepted by this process needs no count: the file is not written again.
	send := started(t, path)
	_, err = send("a", "1234", nil)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	_, err = send("a", "1234", nil)
	require.NoError(t, err)
	require.NoFileExists(t, path)
}

// What cannot be read or written may hide a refusal, so no PIN is sent. A folder that is not there yet has none.
func TestUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.refused")
	hash := `"` + strings.Repeat("A", 43) + `="`
	for _, text := range []string{"", "{", "[]", `{"a": null}`, `{"a": {"Hash": "AAAA"}}`, `{"a": {"Hash": ` + hash + `, "More": 1}}`, "{}{}", strings.Repeat(" ", maxFile+1)} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		sent, err := started(t, path)("a", "1234", nil)
		require.False(t, sent, "%.50q", text)
		require.ErrorContains(t, err, path)
		require.False(t, errors.Is(err, device.ErrPIN), "it may be put right without a restart")
	}
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	sent, err := started(t, path)("a", "1234", nil)
	require.False(t, sent)
	require.ErrorContains(t, err, path)
	sent, err = started(t, filepath.Join(path, "none", "s.refused"))("a", "1234", nil)
	require.True(t, sent)
	require.NoError(t, err)
}
