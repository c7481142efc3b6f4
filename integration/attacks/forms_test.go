// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"encoding/pem"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmx509test"
	"github.com/hyperledger/fabric/integration/network"
)

// forms are a member's serialized identity in other forms than his software writes, by what was done.
func (m *member) forms() map[string][]byte { return gmx509test.Identities(m.mspID, m.cert.Raw) }

// checkForms: in a channel with capability GM_V1 no node serves a member who shows his certificate in another form, of either
// family.
func checkForms(ctx context.Context, t *testing.T, n *network.Network) {
	for _, org := range n.Peers {
		user := userOf(t, n, org, "User1")
		exact := user.serialize(t)
		for name, form := range user.forms() {
			user.identity = form
			p := propose(t, n, user, network.ChaincodeName, createAsset("form")...)
			answer, err := p.endorse(ctx, t, n, org.PeersOf()[0])
			require.NotEmpty(t, refused(t, answer, err), "%s of %s", name, org.Name)
			got := broadcast(ctx, t, n, p.transaction(t, nil))
			require.NotEqual(t, common.Status_SUCCESS, got.Status, "%s of %s", name, org.Name)
		}
		user.identity = exact
		answer, err := propose(t, n, user, network.ChaincodeName, createAsset("form")...).endorse(ctx, t, n, org.PeersOf()[0])
		require.NoError(t, err)
		require.NotNil(t, answer.Endorsement, "the form that nodes write")
		got := broadcast(ctx, t, n, propose(t, n, user, network.ChaincodeName, createAsset("form")...).transaction(t, nil))
		require.Equal(t, common.Status_SUCCESS, got.Status, "the form that nodes write: %s", got.Info)
	}
}

// dress is the member with junk behind the signature of his certificate; kind tells one junk from another.
func (m *member) dress(t *testing.T, kind string) *member {
	t.Helper()
	form, ok := gmx509test.DER(m.cert.Raw)[kind]
	require.True(t, ok, kind)
	other := *m
	other.identity = encode(t, &msp.SerializedIdentity{Mspid: m.mspID, IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: form})})
	return &other
}
