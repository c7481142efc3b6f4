// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/integration/network"
)

// TestRevokedTLCPCertificates revokes certificates of TLCP by lists in the channel configuration. Nodes then refuse who presents
// them, end the connections that stand, and serve everybody else; where the time of a list is over they refuse its organisation.
func TestRevokedTLCPCertificates(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Peers: 1, MutualTLS: true})
	first, second := n.Peers[0], n.Peers[1]
	ca := tlsCAOf(t, n, first)
	orderer, peer := n.Nodes(network.Orderer)[0], first.PeersOf()[0]
	fetch := func(org network.Org, user string) error {
		_, err := peerAs(ctx, n, org, user, fetchNewest(t, n, org, user)...)
		return err
	}
	host, _, err := net.SplitHostPort(peer.Local())
	require.NoError(t, err)
	operations := func(user string) error {
		return ca.handshake(net.JoinHostPort(host, strconv.Itoa(peer.Operations)), user)
	}
	for _, user := range []string{"User1", "Admin"} {
		require.NoError(t, fetch(first, user))
		require.NoError(t, operations(user))
	}
	standing := contract(t, n, peer)
	submit(ctx, t, standing, "CreateAsset", "before", "red", "1", "berta", "1")
	revoked, honest := ca.idle(t, peer.Local(), "User1"), ca.idle(t, peer.Local(), "Admin")

	before := awaitHeights(ctx, t, n)
	setLists(ctx, t, n, first, ca.list(t, time.Now().Add(time.Hour), "User1"))
	_, err = n.AwaitSameHeight(ctx, before+1)
	require.NoError(t, err)

	require.Error(t, ca.handshake(peer.Local(), "User1"), "the peer")
	require.Error(t, ca.handshake(orderer.Local(), "User1"), "the orderer")
	require.Error(t, operations("User1"), "the operations server")
	require.Error(t, fetch(first, "User1"))
	require.NoError(t, fetch(first, "Admin"))
	require.NoError(t, operations("Admin"))
	require.NoError(t, fetch(second, "User1"))
	require.NotErrorIs(t, end(t, revoked, 30*time.Second), os.ErrDeadlineExceeded, "the standing connection was not ended")
	require.ErrorIs(t, end(t, honest, time.Second), os.ErrDeadlineExceeded, "another one was ended")
	logOf := func(node network.Node) string {
		log, err := os.ReadFile(n.LogFile(node.Name))
		require.NoError(t, err)
		return string(log)
	}
	for _, node := range []network.Node{orderer, peer} {
		require.Contains(t, logOf(node), "is refused: it has been revoked, by a list of MSP "+first.MSPID+" in channel "+n.Channel, node.Name)
	}

	// A list whose time is over: the organisation is refused, and the other one continues.
	setLists(ctx, t, n, first, ca.list(t, time.Now().Add(20*time.Second), "User1"))
	other := contract(t, n, second.PeersOf()[0])
	require.Eventually(t, func() bool { return fetch(first, "Admin") != nil }, 2*time.Minute, time.Second, "a list whose time is over")
	require.NotErrorIs(t, end(t, honest, 30*time.Second), os.ErrDeadlineExceeded, "a standing connection of the organisation was not ended")
	require.NoError(t, fetch(second, "Admin"))
	_, err = other.EvaluateWithContext(ctx, "ReadAsset", client.WithArguments("before"))
	require.NoError(t, err)
	require.Contains(t, logOf(orderer), "was to be replaced by")
}

// tlsCA is the SM2 CA of an organisation's TLCP certificates.
type tlsCA struct {
	n    *network.Network
	org  network.Org
	cert *x509.Certificate
	key  crypto.Signer
}

func tlsCAOf(t *testing.T, n *network.Network, org network.Org) *tlsCA {
	t.Helper()
	dir := filepath.Join(n.UserFolder(org, "Admin"), "..", "..", "gmtlsca")
	one := func(pattern string) string {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		require.Len(t, files, 1, pattern)
		return files[0]
	}
	certs, err := material.ReadCertificates(one("*.pem"))
	require.NoError(t, err)
	text, err := os.ReadFile(one("*_sk"))
	require.NoError(t, err)
	key, err := x509.ParsePrivateKeyPEM(text, nil)
	require.NoError(t, err)
	return &tlsCA{n, org, certs[0].Certificate, key.(crypto.Signer)}
}

func (ca *tlsCA) tls(user, name string) string {
	for _, variable := range ca.n.PeerEnv(ca.org, ca.org.PeersOf()[0], user) {
		if variable.Name == "CORE_PEER_TLS_GM_CLIENTSIGNCERT_FILE" {
			return filepath.Join(filepath.Dir(variable.Value), name)
		}
	}
	return ""
}

// list is a revocation list of the CA of the signing certificates of users.
func (ca *tlsCA) list(t *testing.T, end time.Time, users ...string) []byte {
	t.Helper()
	now := time.Now()
	template := &x509.RevocationList{Number: big.NewInt(now.UnixNano()), ThisUpdate: now, NextUpdate: end}
	for _, user := range users {
		certs, err := material.ReadCertificates(ca.tls(user, "client-sign.crt"))
		require.NoError(t, err)
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: certs[0].SerialNumber, RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.cert, ca.key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// idle opens a connection of HTTP/2 over TLCP to a node with the pair of a user, on which nothing happens.
func (ca *tlsCA) idle(t *testing.T, address, user string) *gmtls.Conn {
	t.Helper()
	conn, err := ca.connect(address, user)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // a frame SETTINGS without any
	_, err = conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings))
	require.NoError(t, err)
	return conn
}

// end reads what a node sends on an idle connection, SETTINGS and perhaps GOAWAY, and returns what ends it within the limit.
func end(t *testing.T, conn *gmtls.Conn, limit time.Duration) error {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(limit)))
	for {
		if _, err := conn.Read(make([]byte, 1024)); err != nil {
			return err
		}
	}
}

// handshake reports whether a node takes the pair of a user: it has read its answer, for in TLCP the server has the last word.
func (ca *tlsCA) handshake(address, user string) error {
	conn, err := ca.connect(address, user)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (ca *tlsCA) connect(address, user string) (*gmtls.Conn, error) {
	pair, err := gmtls.LoadX509KeyPair(ca.tls(user, "client-sign.crt"), ca.tls(user, "client-sign.key"), ca.tls(user, "client-enc.crt"), ca.tls(user, "client-enc.key"))
	if err != nil {
		return nil, err
	}
	return gmtls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", address, &gmtls.Config{
		Certificates: []gmtls.Certificate{pair}, InsecureSkipVerify: true, NextProtos: []string{"h2"},
	})
}

// setLists puts a list into the place of those of the organisation's MSP.
func setLists(ctx context.Context, t *testing.T, n *network.Network, org network.Org, list []byte) {
	t.Helper()
	require.NoError(t, n.UpdateConfig(ctx, "lists"+strings.ReplaceAll(t.Name(), "/", ""), []network.Org{org}, func(config map[string]any) error {
		msp := at(t, config, "channel_group", "groups", "Application", "groups", org.Name, "values", "MSP", "value", "config")
		msp.(map[string]any)["revocation_list"] = []string{base64.StdEncoding.EncodeToString(list)}
		return nil
	}))
}
