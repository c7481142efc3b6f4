// SPDX-License-Identifier: Apache-2.0

package tlsconfig

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
)

// node is a folder with the TLS files of a peer: a crypto/tls pair and two TLCP pairs of one CA.
type node struct {
	gmCA           *gmtlstest.CA
	std            tlsgen.CertKeyPair
	stdCert        string
	stdKey         string
	server, client gmtlstest.Files
	gmRoot         string
}

func newNode(t *testing.T) node {
	t.Helper()
	dir := t.TempDir()
	ca, err := tlsgen.NewCA()
	require.NoError(t, err)
	std, err := ca.NewServerCertKeyPair("localhost")
	require.NoError(t, err)
	gm := gmtlstest.NewCA(t)
	return node{
		std:     *std,
		stdCert: gmtlstest.WriteFile(t, dir, "server.crt", std.Cert),
		stdKey:  gmtlstest.WriteFile(t, dir, "server.key", std.Key),
		server:  gm.NewPair(t, "localhost").Write(t, dir, "server"),
		client:  gm.NewPair(t, "localhost").Write(t, dir, "client"),
		gmCA:    gm,
		gmRoot:  gmtlstest.WriteFile(t, dir, "gm-ca.crt", gm.CertPEM),
	}
}

// set gives viper just these keys for the length of the test.
func set(t *testing.T, keys map[string]any) {
	t.Helper()
	viper.Reset()
	t.Cleanup(viper.Reset)
	for key, value := range keys {
		viper.Set(key, value)
	}
}

func (n node) serverKeys(mode string) map[string]any {
	return map[string]any{
		"peer.tls.enabled":          true,
		"peer.tls.mode":             mode,
		"peer.tls.cert.file":        n.stdCert,
		"peer.tls.key.file":         n.stdKey,
		"peer.tls.rootcert.file":    n.gmRoot,
		"peer.tls.gm.signCert.file": n.server.SignCert,
		"peer.tls.gm.signKey.file":  n.server.SignKey,
		"peer.tls.gm.encCert.file":  n.server.EncCert,
		"peer.tls.gm.encKey.file":   n.server.EncKey,
	}
}

// gatewayKeys are those of a peer that dials with another pair than that of its listener.
func (n node) gatewayKeys() map[string]any {
	keys := n.serverKeys("dual")
	keys["peer.tls.clientMode"] = "gm"
	keys["peer.tls.gm.clientSignCert.file"] = n.client.SignCert
	keys["peer.tls.gm.clientSignKey.file"] = n.client.SignKey
	keys["peer.tls.gm.clientEncCert.file"] = n.client.EncCert
	keys["peer.tls.gm.clientEncKey.file"] = n.client.EncKey
	return keys
}

func TestModes(t *testing.T) {
	set(t, map[string]any{"peer.tls.mode": "", "orderer.tls.clientMode": "gm", "peer.tls.clientMode": "TLCP"})
	server, err := ServerMode("peer")
	require.NoError(t, err)
	require.Equal(t, comm.ModeTLS, server)

	client, err := ClientMode("orderer")
	require.NoError(t, err)
	require.Equal(t, comm.ClientGM, client)

	_, err = ClientMode("peer")
	require.ErrorContains(t, err, "peer.tls.clientMode")
	require.ErrorContains(t, err, "TLCP")
	require.False(t, ClientIsGMOnly("peer"), "a mode that cannot be parsed must not count as gm")
}

func TestModeFromEnvironment(t *testing.T) {
	set(t, nil)
	viper.SetEnvPrefix("core")
	viper.AutomaticEnv()
	viper.SetEnvKeyReplacer(envReplacer)
	t.Setenv("CORE_PEER_TLS_CLIENTMODE", "gm")
	t.Setenv("CORE_PEER_TLS_GM_SIGNCERT_FILE", "/somewhere/sign.crt")
	require.True(t, ClientIsGMOnly("peer"))
	require.Equal(t, "/somewhere/sign.crt", ServerFiles("peer").SignCert)
}

func TestHandshakesPerAddress(t *testing.T) {
	for value, want := range map[any]int{nil: 0, "": 0, 0: 0, 64: 64, "512": 512} {
		set(t, map[string]any{"peer.tls.handshakesPerAddress": value})
		got, err := HandshakesPerAddress("peer")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, value := range []any{-1, 513, "many", 1.5} {
		set(t, map[string]any{"peer.tls.handshakesPerAddress": value})
		_, err := PeerServerSource()
		require.ErrorContains(t, err, "peer.tls.handshakesPerAddress is")
	}
}

func TestReadStandardPEM(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := ReadStandardPEM(missing, false)
	require.ErrorIs(t, err, os.ErrNotExist)

	content, err := ReadStandardPEM(missing, true)
	require.NoError(t, err)
	require.Empty(t, content)

	_, err = ReadStandardPEM(t.TempDir(), true)
	require.Error(t, err, "a folder is not an absent file")
}

func TestServerSourceCarriesBothPairs(t *testing.T) {
	n := newNode(t)
	set(t, n.serverKeys("dual"))
	source, err := PeerServerSource()
	require.NoError(t, err)
	certs := source.Material().PEM()
	require.True(t, bytes.HasPrefix(certs, n.std.Cert), "crypto/tls certificate comes first: older code reads the first block")
	require.Equal(t, 3, bytes.Count(certs, []byte("BEGIN CERTIFICATE")))

	again, err := PeerServerSource()
	require.NoError(t, err)
	require.Same(t, source, again, "asking again must not replace the source that listeners hold")

	viper.Set("peer.tls.gm.encKey.file", n.client.EncKey)
	_, err = PeerServerSource()
	require.Error(t, err, "a key that does not belong to its certificate")
}

func TestGMOnlyNodeNeedsNoStandardPair(t *testing.T) {
	n := newNode(t)
	keys := n.serverKeys("gm")
	keys["peer.tls.clientMode"] = "gm"
	keys["peer.tls.cert.file"] = filepath.Join(t.TempDir(), "server.crt")
	keys["peer.tls.key.file"] = filepath.Join(t.TempDir(), "server.key")
	set(t, keys)
	source, err := PeerServerSource()
	require.NoError(t, err)
	require.Equal(t, 2, bytes.Count(source.Material().PEM(), []byte("BEGIN CERTIFICATE")))

	viper.Set("peer.tls.mode", "dual")
	_, err = PeerServerSource()
	require.Error(t, err, "a dual listener without its crypto/tls pair")

	viper.Set("peer.tls.mode", "gm")
	viper.Set("peer.tls.key.file", n.stdKey)
	_, err = PeerServerSource()
	require.Error(t, err, "half a crypto/tls pair is a mistake in every mode")
}

func TestClientPairDefaultsToServerPair(t *testing.T) {
	n := newNode(t)
	keys := n.serverKeys("dual")
	keys["peer.tls.clientMode"] = "gm"
	set(t, keys)
	source, err := PeerClientSource()
	require.NoError(t, err)
	cert, err := source.ClientCertificate()
	require.NoError(t, err)
	require.Equal(t, certDER(t, n.server.SignCert), cert.Certificate[0])
	require.Equal(t, certDER(t, n.server.EncCert), cert.Certificate[1])

	viper.Set("peer.tls.gm.clientSignCert.file", n.client.SignCert)
	_, err = PeerClientSource()
	require.Error(t, err, "a client pair is named whole or not at all")

	viper.Set("peer.tls.gm.clientSignKey.file", n.client.SignKey)
	viper.Set("peer.tls.gm.clientEncCert.file", n.client.EncCert)
	viper.Set("peer.tls.gm.clientEncKey.file", n.client.EncKey)
	source, err = PeerClientSource()
	require.NoError(t, err)
	cert, err = source.ClientCertificate()
	require.NoError(t, err)
	require.Equal(t, certDER(t, n.client.SignCert), cert.Certificate[0])
}

// TestEncryptedKeys: one password file opens the keys of the listener's pair and of the pair for dialing.
func TestEncryptedKeys(t *testing.T) {
	n := newNode(t)
	set(t, n.gatewayKeys())
	dir := t.TempDir()
	n.server.Encrypt(t, dir)
	password := n.client.Encrypt(t, dir)
	_, err := PeerServerSource()
	require.ErrorContains(t, err, "peer.tls.gm.keyPassword.file")

	viper.Set("peer.tls.gm.keyPassword.file", password)
	source, err := PeerServerSource()
	require.NoError(t, err)
	require.NotNil(t, source.Material().GM)
	source, err = PeerClientSource()
	require.NoError(t, err)
	cert, err := source.ClientCertificate()
	require.NoError(t, err)
	require.Equal(t, certDER(t, n.client.SignCert), cert.Certificate[0])
}

// TestGatewaySource holds the rule that the gateway, which presents the listener's certificate when it dials, follows the
// client mode even where the rest of the peer presents another certificate.
func TestGatewaySource(t *testing.T) {
	n := newNode(t)
	keys := n.gatewayKeys()
	set(t, keys)
	_, err := PeerServerSource()
	require.NoError(t, err)
	gateway := comm.LookupSource(tlsstatus.PeerGateway)
	require.NotNil(t, gateway)
	_, mode := gateway.Modes()
	require.Equal(t, comm.ClientGM, mode)

	rebuilt := comm.SecureOptions{
		UseTLS: true, RequireClientCert: true,
		Certificate: gateway.Material().PEM(),
	}
	cert, err := rebuilt.ClientCertificate()
	require.NoError(t, err)
	require.Equal(t, certDER(t, n.server.SignCert), cert.Certificate[0])
}

// TestDrainGrace: what the peer has dialed is drained in the time that the configuration gives, as its listeners' connections.
func TestDrainGrace(t *testing.T) {
	n := newNode(t)
	keys := n.gatewayKeys()
	keys["peer.tls.drainGrace"] = "7s"
	set(t, keys)
	_, err := PeerServerSource()
	require.NoError(t, err)
	_, err = PeerClientSource()
	require.NoError(t, err)
	for _, role := range []string{tlsstatus.PeerServer, tlsstatus.PeerClient, tlsstatus.PeerGateway} {
		require.Equal(t, 7*time.Second, comm.LookupSource(role).Settings().(settings).config.DrainGrace, role)
	}
	for _, value := range []any{60, "60", "soon", -5 * time.Second} {
		keys["peer.tls.drainGrace"] = value
		set(t, keys)
		_, err := PeerServerSource()
		require.ErrorContains(t, err, "write a time with its unit, such as 60s", "%v", value)
	}
}

// TestRevocationLists: the roles of a peer read the lists, and refuse them by the key.
func TestRevocationLists(t *testing.T) {
	n, dir := newNode(t), t.TempDir()
	keys := n.gatewayKeys()
	keys["peer.tls.checkRevocation"] = true
	keys["peer.tls.revocationLists.files"] = []string{gmtlstest.WriteFile(t, dir, "other.crl", gmtlstest.NewCA(t).RevocationList(t, x509.RevocationList{}))}
	for name, source := range map[string]func() (*comm.Source, error){"server": PeerServerSource, "client": PeerClientSource} {
		set(t, keys)
		_, err := source()
		require.ErrorContains(t, err, "peer.tls.revocationLists.files", name)
		require.ErrorContains(t, err, "the CA has to be among the root CAs of the role", name)
	}
	keys["peer.tls.revocationLists.files"] = []string{gmtlstest.WriteFile(t, dir, "own.crl", n.gmCA.RevocationList(t, x509.RevocationList{}))}
	set(t, keys)
	_, err := PeerServerSource()
	require.NoError(t, err)
	_, err = PeerClientSource()
	require.NoError(t, err)
}
