// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric/internal/kittest/fakenet"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/hyperledger/fabric/pkg/gmshim/sealed"
	"github.com/stretchr/testify/require"
)

// newPeer is a peer in front of a process of the chaincode.
func newPeer(t *testing.T) *fakepeer.Peer {
	t.Helper()
	chaincode, err := newChaincode()
	require.NoError(t, err)
	return fakenet.Peer(t, chaincode)
}

func put(t *testing.T, peer *fakepeer.Peer, transient map[string][]byte, id string) *fakepeer.Result {
	t.Helper()
	result, err := peer.Submit(fakepeer.Request{TxID: "5f1c", Args: []string{"Put", "details", id}, Transient: transient})
	require.NoError(t, err)
	return result
}

// get returns the value, or why there is none.
func get(t *testing.T, peer *fakepeer.Peer, key []byte, id string) string {
	t.Helper()
	result, err := peer.Evaluate(fakepeer.Request{Args: []string{"Get", "details", id}, Transient: map[string][]byte{keyField: key}})
	require.NoError(t, err)
	if result.Response.GetStatus() != shim.OK {
		return result.Response.GetMessage()
	}
	return string(result.Response.GetPayload())
}

// TestSealed writes at two peers and reads, as the client, as one with another key, and after an administrator of the host has moved
// one value to the place of another.
func TestSealed(t *testing.T) {
	key, other := make([]byte, 32), make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	first, second := newPeer(t), newPeer(t)
	for _, peer := range []*fakepeer.Peer{first, second} {
		for id, value := range map[string]string{"a1": "the price is 7", "a2": "the price is 9"} {
			result := put(t, peer, map[string][]byte{keyField: key, valueField: []byte(value)}, id)
			require.EqualValues(t, shim.OK, result.Response.GetStatus(), result.Response.GetMessage())
			require.NotContains(t, string(result.Response.GetPayload()), "price")
		}
	}
	require.Equal(t, first.Private("details"), second.Private("details"), "endorsers write the same")
	require.NotContains(t, string(first.Private("details")["a1"]), "price")
	require.Equal(t, "the price is 7", get(t, first, key, "a1"))
	require.Contains(t, get(t, first, other, "a1"), "does not open")
	require.Contains(t, get(t, first, nil, "a1"), "it must have 32 random ones")
	require.Contains(t, get(t, first, key, "a3"), "there is no such value")

	first.Private("details")["a1"] = bytes.Clone(first.Private("details")["a2"])
	require.Contains(t, get(t, first, key, "a1"), "does not open")
}

// stub is what another chaincode seals with.
type stub struct {
	shim.ChaincodeStubInterface
	key []byte
}

func (stub) GetChannelID() string { return fakepeer.Channel }
func (stub) GetTxID() string      { return "5f1c" }
func (s stub) GetTransient() (map[string][]byte, error) {
	return map[string][]byte{keyField: s.key}, nil
}

// TestOtherChaincode: what another chaincode of the channel sealed with the client's key does not open here, even at the same place.
func TestOtherChaincode(t *testing.T) {
	key := bytes.Repeat([]byte{1}, sealed.KeySize)
	peer := newPeer(t)
	put(t, peer, map[string][]byte{keyField: key, valueField: []byte("ours")}, "a1")
	box, err := sealed.NewBox(stub{key: key}, keyField)
	require.NoError(t, err)
	for field, want := range map[string]string{"": "does not open", "another": "does not open", name: "theirs"} {
		text, err := box.Seal(sealed.Place{Collection: "details", Key: "a1", Field: field}, []byte("theirs"))
		require.NoError(t, err)
		peer.Private("details")["a1"] = text
		require.Contains(t, get(t, peer, key, "a1"), want, "sealed for field %q", field)
	}
}

func TestPutNeedsBothFields(t *testing.T) {
	peer := newPeer(t)
	for _, transient := range []map[string][]byte{nil, {valueField: []byte("x")}, {keyField: make([]byte, 32)}, {keyField: []byte("x"), valueField: []byte("x")}} {
		require.NotEqualValues(t, shim.OK, put(t, peer, transient, "a1").Response.GetStatus(), "%v", transient)
	}
	require.Empty(t, peer.Private("details"))
}
