// SPDX-License-Identifier: Apache-2.0

//go:build integration

package attacks

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/integration/network"
)

// list is a revocation list of the CA, in PEM.
func (a *authority) list(t *testing.T, revoked ...*member) []byte {
	t.Helper()
	now := time.Now()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
	for _, m := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: m.cert.SerialNumber, RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// TestFalseMembers: whose certificate has ended, was revoked, is for another role or comes from a CA of the same name is not served,
// and his signature counts for nothing; with SM2 and with ECDSA.
func TestFalseMembers(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmMixed, Orderers: 1, Peers: 1})
	served := func(m *member) (endorsed, ordered bool) {
		t.Helper()
		p := propose(t, n, m, network.ChaincodeName, createAsset("false member")...)
		answer, err := p.endorse(ctx, t, n, n.Peers[0].PeersOf()[0])
		return err == nil && answer.GetEndorsement() != nil, broadcast(ctx, t, n, p.transaction(t, nil)).Status == common.Status_SUCCESS
	}
	require.Len(t, n.Peers, 2)
	later := time.Now().Add(time.Hour)
	cas := map[string]*authority{}
	peers, clients := map[string]*member{}, map[string]*member{}
	for _, org := range n.Peers {
		ca := authorityOf(t, n, org)
		cas[org.Name], peers[org.Name], clients[org.Name] = ca, ca.issue(t, "peer", later), ca.issue(t, "client", later)
		endorsed, ordered := served(clients[org.Name])
		require.True(t, endorsed && ordered, "%s: a client as there should be", org.Name)
		for what, m := range map[string]*member{
			"expired":               ca.issue(t, "client", time.Now().Add(-time.Minute)),
			"peer as client":        peers[org.Name],
			"unknown role":          ca.issue(t, "auditor", later),
			"CA of the same name":   impostorOf(t, ca).issue(t, "client", later),
			"CA itself":             {mspID: org.MSPID, cert: ca.cert, key: ca.key},
			"another organisation":  {mspID: n.Ordering.MSPID, cert: clients[org.Name].cert, key: clients[org.Name].key},
			"certificate of others": {mspID: org.MSPID, cert: clients[org.Name].cert, key: newKey(t, x509.IsSM2(ca.cert.PublicKey))},
		} {
			endorsed, ordered := served(m)
			require.False(t, endorsed, "%s: %s: a peer endorses", org.Name, what)
			require.False(t, ordered, "%s: %s: the orderer takes it", org.Name, what)
		}
	}
	user := userOf(t, n, n.Peers[0], "User1")
	signedBy := func(id string, of func(network.Org) *member) string {
		t.Helper()
		p := propose(t, n, user, network.ChaincodeName, createAsset(id)...)
		agreed, _ := outcome(ctx, t, n, p)
		var all []*peer.Endorsement
		for _, org := range n.Peers {
			all = append(all, endorsement(t, of(org), agreed))
		}
		require.Equal(t, common.Status_SUCCESS, broadcast(ctx, t, n, p.transaction(t, agreed, all...)).Status)
		return p.txID
	}
	requireVerdict(ctx, t, n, peer.TxValidationCode_VALID, signedBy("more peers", func(org network.Org) *member { return peers[org.Name] }))
	requireVerdict(ctx, t, n, peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, signedBy("false peers", func(org network.Org) *member {
		return impostorOf(t, cas[org.Name]).issue(t, "peer", later)
	}))

	for _, org := range n.Peers {
		list := base64.StdEncoding.EncodeToString(cas[org.Name].list(t, peers[org.Name], clients[org.Name]))
		require.NoError(t, n.UpdateConfig(ctx, "revoke-"+org.Name, []network.Org{org}, func(config tree) error {
			msp := at(t, config, "channel_group", "groups", "Application", "groups", org.Name, "values", "MSP", "value", "config")
			msp["revocation_list"] = []any{list}
			return nil
		}))
	}
	requireVerdict(ctx, t, n, peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, signedBy("revoked peers", func(org network.Org) *member { return peers[org.Name] }))
	for _, org := range n.Peers {
		endorsed, ordered := served(clients[org.Name])
		require.False(t, endorsed || ordered, "%s: a revoked client is served", org.Name)
	}
	requireAlive(ctx, t, n)
}
