// SPDX-License-Identifier: Apache-2.0

package common

import (
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/util"
	"github.com/hyperledger/fabric/internal/peer/common/mock"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// binding is what a seek request says of the client's certificate, and the certificate that its connection has, by SHA-256.
type binding struct{ claimed, presented string }

// deliverNode is a node, peer and orderer in one, that demands client certificates, and the files of a user of the peer command.
type deliverNode struct {
	address         string
	seen            chan binding
	roots           string
	stdCert, stdKey string
	pair            gmtlstest.Files
}

func startDeliverNode(t *testing.T, mode comm.ServerMode) *deliverNode {
	t.Helper()
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	gm := gmtlstest.NewCA(t)
	dir := t.TempDir()
	roots := append(append([]byte{}, std.CertBytes()...), gm.CertPEM...)
	user, err := std.NewClientCertKeyPair()
	require.NoError(t, err)
	n := &deliverNode{
		seen:    make(chan binding, 1),
		roots:   gmtlstest.WriteFile(t, dir, "roots.crt", roots),
		stdCert: gmtlstest.WriteFile(t, dir, "user.crt", user.Cert),
		stdKey:  gmtlstest.WriteFile(t, dir, "user.key", user.Key),
		pair:    gm.NewPair(t).Write(t, dir, "user"),
	}
	server, err := std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	options := comm.SecureOptions{UseTLS: true, RequireClientCert: true, ClientRootCAs: [][]byte{roots}, ServerMode: mode}
	options.Certificate, options.Key = gm.NewPair(t, "127.0.0.1").Bundle(server.Cert, server.Key)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	grpcServer, err := comm.NewGRPCServerFromListener(listener, comm.ServerConfig{SecOpts: options})
	require.NoError(t, err)
	n.address = listener.Addr().String()
	ab.RegisterAtomicBroadcastServer(grpcServer.Server(), ordererSide{n: n})
	pb.RegisterDeliverServer(grpcServer.Server(), peerSide{n: n})
	go grpcServer.Start()
	t.Cleanup(grpcServer.Stop)
	return n
}

type ordererSide struct {
	ab.AtomicBroadcastServer
	n *deliverNode
}

func (s ordererSide) Deliver(stream ab.AtomicBroadcast_DeliverServer) error {
	return s.n.observe(stream)
}

type peerSide struct {
	pb.DeliverServer
	n *deliverNode
}

func (s peerSide) Deliver(stream pb.Deliver_DeliverServer) error { return s.n.observe(stream) }

// observe takes one seek request.
func (n *deliverNode) observe(stream interface {
	grpc.ServerStream
	Recv() (*cb.Envelope, error)
}) error {
	env, err := stream.Recv()
	if err != nil {
		return err
	}
	payload, err := protoutil.UnmarshalPayload(env.Payload)
	if err != nil {
		return err
	}
	header, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil {
		return err
	}
	n.seen <- binding{
		claimed:   hex.EncodeToString(header.TlsCertHash),
		presented: hex.EncodeToString(util.ExtractCertificateHashFromContext(stream.Context())),
	}
	return nil
}

// configure sets core.yaml's keys for a user of the node.
func (n *deliverNode) configure(t *testing.T, prefix string, mode comm.ClientMode) {
	t.Helper()
	for key, value := range map[string]any{
		".address": n.address, ".tls.enabled": true, ".tls.clientAuthRequired": true, ".tls.clientMode": string(mode),
		".tls.rootcert.file": n.roots, ".tls.clientCert.file": n.stdCert, ".tls.clientKey.file": n.stdKey,
		".tls.gm.clientSignCert.file": n.pair.SignCert, ".tls.gm.clientSignKey.file": n.pair.SignKey,
		".tls.gm.clientEncCert.file": n.pair.EncCert, ".tls.gm.clientEncKey.file": n.pair.EncKey,
		".client.connTimeout": "20s",
	} {
		viper.Set(prefix+key, value)
	}
	t.Cleanup(viper.Reset)
}

// TestDeliverBindsToTheCertificateInUse: the commands' seek requests name the certificate that the connection presents, standard
// or SM2, towards peers and orderers.
func TestDeliverBindsToTheCertificateInUse(t *testing.T) {
	n := startDeliverNode(t, comm.ModeDual)
	seen := map[string]bool{}
	password := n.pair.Encrypt(t, t.TempDir()) // the commands open keys as the nodes do
	for _, mode := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
		n.configure(t, "peer", mode)
		viper.Set("peer.tls.gm.keyPassword.file", password)
		viper.Set("orderer.tls.gm.keyPassword.file", password)
		n.configure(t, "orderer", mode)
		for name, connect := range map[string]func() (*DeliverClient, error){
			"peer": func() (*DeliverClient, error) { return NewDeliverClientForPeer("ch", &mock.SignerSerializer{}, false) },
			"orderer": func() (*DeliverClient, error) {
				return NewDeliverClientForOrderer("ch", &mock.SignerSerializer{}, false)
			},
		} {
			client, err := connect()
			require.NoError(t, err, "%s, %s", name, mode)
			require.NoError(t, client.seekNewest())
			got := <-n.seen
			require.NotEmpty(t, got.presented)
			require.Equal(t, got.presented, got.claimed, "%s, %s", name, mode)
			seen[got.presented] = true
			_, err = client.Service.Recv()
			require.ErrorIs(t, err, io.EOF)
			client.Close()
			// peer chaincode binds its wait for events to this one.
			cert, err := GetClientCertificate()
			require.NoError(t, err)
			require.Equal(t, got.presented, hex.EncodeToString(util.ComputeSHA256(cert.Certificate[0])))
		}
	}
	require.Len(t, seen, 2, "one certificate for each protocol")
}

// TestNoFallback: a command whose mode the node does not speak says so.
func TestNoFallback(t *testing.T) {
	for server, client := range map[comm.ServerMode]comm.ClientMode{comm.ModeTLS: comm.ClientGM, comm.ModeGM: comm.ClientTLS} {
		startDeliverNode(t, server).configure(t, "peer", client)
		_, err := NewDeliverClientForPeer("ch", &mock.SignerSerializer{}, false)
		require.ErrorContains(t, err, "no common protocol")
		require.ErrorContains(t, err, "mode "+string(client))
	}
}

// TestOrdererFlags: --tlsmode goes before orderer.tls.clientMode, and that before peer.tls.clientMode; the flags of the encryption
// pair make a TLCP pair with --certfile and --keyfile.
func TestOrdererFlags(t *testing.T) {
	n := startDeliverNode(t, comm.ModeGM)
	run := func(args ...string) {
		cmd := &cobra.Command{Use: "any", Run: func(*cobra.Command, []string) {}}
		AddOrdererFlags(cmd)
		cmd.SetArgs(args)
		require.NoError(t, cmd.Execute())
		SetOrdererEnv(cmd, nil)
	}
	defer run() // flags are variables of the package
	defer viper.Reset()
	all := []string{
		"--orderer", n.address, "--tls", "--clientauth", "--cafile", n.roots, "--connTimeout", "20s",
		"--certfile", n.pair.SignCert, "--keyfile", n.pair.SignKey, "--encCertfile", n.pair.EncCert, "--encKeyfile", n.pair.EncKey,
	}
	for _, c := range []struct {
		peer, orderer, flag string
		want                comm.ClientMode
	}{
		{"", "", "", comm.ClientTLS},
		{"gm", "", "", comm.ClientGM},
		{"gm", "tls", "", comm.ClientTLS},
		{"gm", "gm", "tls", comm.ClientTLS},
		{"", "", "gm", comm.ClientGM},
	} {
		viper.Reset()
		viper.Set("peer.tls.clientMode", c.peer)
		viper.Set("orderer.tls.clientMode", c.orderer)
		args := all
		if c.flag != "" {
			args = append(args[:len(args):len(args)], "--tlsmode", c.flag)
		}
		run(args...)
		_, config, err := configFromEnv("orderer")
		require.NoError(t, err)
		require.Equal(t, c.want, config.SecOpts.ClientMode, "%+v", c)
		if c.want == comm.ClientGM {
			_, err := NewDeliverClientForOrderer("ch", &mock.SignerSerializer{}, false)
			require.NoError(t, err, "%+v", c)
		}
	}
	for _, c := range []struct {
		args      []string
		key, want string
	}{
		{[]string{"--tls", "--tlsmode", "GM"}, "", `--tlsmode: comm: "GM"`},
		{[]string{"--tls"}, "orderer.tls.clientMode", `orderer.tls.clientMode: comm: "GM"`},
		{[]string{"--tls"}, "peer.tls.clientMode", `peer.tls.clientMode: comm: "GM"`},
		{[]string{"--tlsmode", "gm"}, "", "--tlsmode gm is given without --tls"},
		{[]string{"--tlsmode", "tls"}, "", "--tlsmode tls is given without --tls"},
	} {
		viper.Reset()
		viper.Set(c.key, "GM")
		run(append([]string{"--orderer", n.address}, c.args...)...)
		_, _, err := configFromEnv("orderer")
		require.ErrorContains(t, err, c.want)
	}
	for _, other := range []string{"--tls-mode", "--tlsMode"} {
		cmd := &cobra.Command{Use: "any", SilenceErrors: true, SilenceUsage: true, Run: func(*cobra.Command, []string) {}}
		AddOrdererFlags(cmd)
		cmd.SetArgs([]string{other, "gm"})
		require.ErrorContains(t, cmd.Execute(), "this command spells it --tlsmode")
	}
	for _, key := range []string{"orderer.tls.clientMode", "peer.tls.clientMode"} {
		viper.Reset()
		viper.Set(key, "gm")
		run("--orderer", n.address)
		_, _, err := configFromEnv("orderer")
		require.EqualError(t, err, key+` is "gm" but --tls is false: connections would be unprotected`)
	}
	viper.Reset()
	run(all...)
	viper.Set("orderer.tls.clientMode", "gm")
	viper.Set("orderer.tls.gm.clientEncKey.file", filepath.Join(t.TempDir(), "absent.key"))
	_, _, err := configFromEnv("orderer")
	require.ErrorContains(t, err, "orderer.tls.gm.clientEncKey.file")
	require.ErrorContains(t, err, "absent.key")
}

// TestPeerIsNotDialedUnprotected where its mode has TLCP, and a switch that cannot be read is not off.
func TestPeerIsNotDialedUnprotected(t *testing.T) {
	defer viper.Reset()
	for enabled, want := range map[any]string{
		false: `peer.tls.clientMode is "gm" but peer.tls.enabled is false`, "yes": `peer.tls.enabled is "yes": write true or false`,
	} {
		viper.Reset()
		viper.Set("peer.tls.clientMode", "gm")
		viper.Set("peer.tls.enabled", enabled)
		_, err := NewPeerClientForAddress("127.0.0.1:1", "")
		require.ErrorContains(t, err, want)
		_, err = NewPeerClientFromEnv()
		require.ErrorContains(t, err, want)
	}
}

// TestMisspeltSettings: file and environment, for every command.
func TestMisspeltSettings(t *testing.T) {
	defer viper.Reset()
	load := func(text string) error {
		viper.Reset()
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte(text), 0o600))
		t.Setenv("FABRIC_CFG_PATH", dir)
		return InitConfig("core")
	}
	require.NoError(t, load("peer:\n    tls:\n        mode: tls\n        rootcert: {file: x}\n"))
	require.ErrorContains(t, load("peer:\n    tls:\n        modes: gm\n"), "core.yaml has the key peer.tls.modes, which does not exist: write peer.tls.mode")
	t.Setenv("CORE_PEER_TLS_CLIENTMODES", "gm")
	require.ErrorContains(t, load("peer:\n    id: x\n"), "CORE_PEER_TLS_CLIENTMODES, which does not exist: write CORE_PEER_TLS_CLIENTMODE,")
}
