// SPDX-License-Identifier: Apache-2.0

package sealed

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"strings"
	"testing"

	gmsm3 "github.com/emmansun/gmsm/sm3"
	gmsm4 "github.com/emmansun/gmsm/sm4"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/stretchr/testify/require"
)

// stub is what a transaction brings along.
type stub struct {
	shim.ChaincodeStubInterface
	channel, transaction string
	transient            map[string][]byte
}

func (s stub) GetChannelID() string                     { return s.channel }
func (s stub) GetTxID() string                          { return s.transaction }
func (s stub) GetTransient() (map[string][]byte, error) { return s.transient, nil }

const tx1, tx2 = "5f1c", "77aa"

func box(t testing.TB, channel, transaction string, key byte) *Box {
	t.Helper()
	b, err := NewBox(stub{channel: channel, transaction: transaction, transient: map[string][]byte{"key": bytes.Repeat([]byte{key}, KeySize)}}, "key")
	require.NoError(t, err)
	return b
}

// TestEndorsersAgree seals in several processes' place, and opens in a later transaction.
func TestEndorsersAgree(t *testing.T) {
	place := Place{"details", "asset1", "price"}
	for _, value := range []string{"", "7", strings.Repeat("long ", 1000)} {
		sealed, err := box(t, "trade", tx1, 1).Seal(place, []byte(value))
		require.NoError(t, err)
		again, err := box(t, "trade", tx1, 1).Seal(place, []byte(value))
		require.NoError(t, err)
		require.Equal(t, sealed, again)
		if value != "" {
			require.NotContains(t, string(sealed), value)
		}
		got, err := box(t, "trade", tx2, 1).Open(place, sealed)
		require.NoError(t, err)
		require.Equal(t, value, string(got))
	}
}

// TestNothingRepeats compares what is encrypted for neighbours of one value: no two share the seed of key and nonce, and so no two
// differ by what their values differ by.
func TestNothingRepeats(t *testing.T) {
	seen := map[string]string{}
	add := func(name string, b *Box, place Place, value string) {
		sealed, err := b.Seal(place, []byte(value))
		require.NoError(t, err)
		seed := string(sealed[2+len(tx1):][:32])
		require.Empty(t, seen[seed], "%s shares its seed", name)
		seen[seed] = name
	}
	at := Place{"c", "k", "f"}
	add("the value", box(t, "trade", tx1, 1), at, "value")
	add("another value", box(t, "trade", tx1, 1), at, "valuf")
	add("another transaction", box(t, "trade", tx2, 1), at, "value")
	add("another channel", box(t, "trad", tx1, 1), at, "value")
	add("another key of the client", box(t, "trade", tx1, 2), at, "value")
	add("another collection", box(t, "trade", tx1, 1), Place{"d", "k", "f"}, "value")
	add("another key", box(t, "trade", tx1, 1), Place{"c", "l", "f"}, "value")
	add("another field", box(t, "trade", tx1, 1), Place{"c", "k", "g"}, "value")
	add("other borders", box(t, "trade", tx1, 1), Place{"ck", "", "f"}, "value")
	add("borders to the value", box(t, "trade", tx1, 1), Place{"c", "k", ""}, "f"+tx1+"value")
}

// TestMovedOrChanged takes a sealed value to every other place, and changes each of its bytes.
func TestMovedOrChanged(t *testing.T) {
	place := Place{"c", "k", "f"}
	sealed, err := box(t, "trade", tx1, 1).Seal(place, []byte("value"))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		b     *Box
		place Place
	}{
		"another collection": {box(t, "trade", tx2, 1), Place{"d", "k", "f"}},
		"another key":        {box(t, "trade", tx2, 1), Place{"c", "l", "f"}},
		"another field":      {box(t, "trade", tx2, 1), Place{"c", "k", "g"}},
		"no field":           {box(t, "trade", tx2, 1), Place{"c", "k", ""}},
		"other borders":      {box(t, "trade", tx2, 1), Place{"ck", "", "f"}},
		"another channel":    {box(t, "older", tx2, 1), place},
		"another client key": {box(t, "trade", tx2, 2), place},
	} {
		_, err := test.b.Open(test.place, sealed)
		require.ErrorIs(t, err, ErrOpen, name)
	}
	b := box(t, "trade", tx2, 1)
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := b.Open(place, changed)
		require.ErrorIs(t, err, ErrOpen, "byte %d", i)
		_, err = b.Open(place, sealed[:i])
		require.ErrorIs(t, err, ErrOpen, "%d bytes", i)
	}
}

// TestForm computes a sealed value step by step with another implementation of SM3 and SM4.
func TestForm(t *testing.T) {
	key := bytes.Repeat([]byte{1}, KeySize)
	mac := func(key, data []byte) []byte {
		h := hmac.New(gmsm3.New, key)
		h.Write(data)
		return h.Sum(nil)
	}
	bound := []byte{1}
	for _, part := range []string{"trade", "details", "asset1", "", tx1} {
		bound = binary.BigEndian.AppendUint32(bound, uint32(len(part)))
		bound = append(bound, part...)
	}
	seed := mac(mac(key, []byte("fabric-gm sealed 1 synthetic")), append(bytes.Clone(bound), "value"...))
	fresh := mac(mac(key, []byte("fabric-gm sealed 1 cipher")), seed)
	block, err := gmsm4.NewCipher(fresh[:16])
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	want := append([]byte{1, byte(len(tx1))}, tx1...)
	want = aead.Seal(append(want, seed...), fresh[16:28], []byte("value"), bound)
	got, err := box(t, "trade", tx1, 1).Seal(Place{Collection: "details", Key: "asset1"}, []byte("value"))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestForgedSeed has a holder of the cipher's key alone encrypt under a seed of its choice; the value's own seed is another.
func TestForgedSeed(t *testing.T) {
	b, place := box(t, "trade", tx1, 1), Place{Key: "k"}
	seed := make([]byte, 32)
	aead, nonce, err := b.aead(seed)
	require.NoError(t, err)
	forged := append(append([]byte{version, byte(len(tx1))}, tx1...), seed...)
	forged = aead.Seal(forged, nonce, []byte("value"), b.bound(place, tx1))
	_, err = b.Open(place, forged)
	require.ErrorIs(t, err, ErrOpen)
}

func TestWrongKeysAreRefused(t *testing.T) {
	for _, test := range []struct {
		transient map[string][]byte
		want      string
	}{
		{nil, `have no field "key": the client has to send the key of 32 bytes`},
		{map[string][]byte{"key": []byte("short secret")}, "has 12 bytes"},
		{map[string][]byte{"key": make([]byte, 33)}, "has 33 bytes"},
	} {
		_, err := NewBox(stub{channel: "trade", transaction: tx1, transient: test.transient}, "key")
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), "short secret")
	}
	for _, transaction := range []string{"", strings.Repeat("t", 256)} {
		_, err := box(t, "trade", transaction, 1).Seal(Place{}, nil)
		require.ErrorContains(t, err, "want 1 to 255")
	}
}

// FuzzOpen: what opens at a place is what its transaction sealed there, byte for byte, whatever stands in the state.
func FuzzOpen(f *testing.F) {
	place := Place{"details", "asset1", "price"}
	for _, value := range []string{"", "7", "a longer value"} {
		sealed, err := box(f, "trade", tx1, 1).Seal(place, []byte(value))
		require.NoError(f, err)
		f.Add(sealed)
		f.Add(sealed[:len(sealed)-1])
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		value, err := box(t, "trade", tx2, 1).Open(place, sealed)
		if err != nil {
			require.ErrorIs(t, err, ErrOpen)
			return
		}
		again, err := box(t, "trade", string(sealed[2:][:sealed[1]]), 1).Seal(place, value)
		require.NoError(t, err)
		require.Equal(t, sealed, again)
	})
}
