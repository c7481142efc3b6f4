// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"errors"
	"testing"

	pmsp "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/msp/mocks"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
)

// A stranger may send identities of many megabytes, each another one.
func TestLargeIdentitiesAreNotKept(t *testing.T) {
	for _, test := range []struct{ size, kept int }{{keptAtMost, 1}, {keptAtMost + 1, 0}, {1 << 20, 0}} {
		serialized := bytes.Repeat([]byte{1}, test.size)
		inside := &mocks.MockMSP{}
		inside.On("DeserializeIdentity", serialized).Return(&mocks.MockIdentity{ID: "Alice"}, nil)
		made, err := New(inside)
		require.NoError(t, err)

		for range 2 {
			id, err := made.DeserializeIdentity(serialized)
			require.NoError(t, err)
			require.IsType(t, &cachedIdentity{}, id, "its checks must go through the cache")
		}
		require.Equal(t, test.kept, made.(*cachedMSP).deserializeIdentityCache.len(), "%d bytes", test.size)
	}
}

func TestLargeIdentityThatIsNone(t *testing.T) {
	inside := &mocks.MockMSP{}
	serialized := make([]byte, 1<<20)
	refused := errors.New("no identity")
	inside.On("DeserializeIdentity", serialized).Return(&mocks.MockIdentity{}, refused)
	made, err := New(inside)
	require.NoError(t, err)
	id, err := made.DeserializeIdentity(serialized)
	require.ErrorIs(t, err, refused)
	require.Nil(t, id)
}

// A member may give a key a policy whose principals have many megabytes.
func TestLargePrincipalsAreNotKept(t *testing.T) {
	refused := errors.New("another one")
	for _, test := range []struct{ size, kept int }{{keptAtMost, 1}, {keptAtMost + 1, 0}} {
		principal := &pmsp.MSPPrincipal{Principal: make([]byte, test.size)}
		id := &mocks.MockIdentity{ID: "Alice"}
		id.On("GetIdentifier").Return(&msp.IdentityIdentifier{Mspid: "Org", Id: "Alice"})
		inside := &mocks.MockMSP{}
		inside.On("SatisfiesPrincipal", mock.Anything, principal).Return(refused)
		made, err := New(inside)
		require.NoError(t, err)

		for range 2 {
			require.ErrorIs(t, made.SatisfiesPrincipal(id, principal), refused)
		}
		require.Equal(t, test.kept, made.(*cachedMSP).satisfiesPrincipalCache.len(), "%d bytes", test.size)
	}
}
