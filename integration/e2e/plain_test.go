// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/integration/networktest"
	"github.com/stretchr/testify/require"
)

// TestWithoutTLS starts an orderer and a peer of SM2 organisations with Fabric's sample configuration and TLS off, and brings
// a channel up on them: identities do not depend on the transport. Upstream's orderer insists on TLS between
// consenters, so that port alone has it.
func TestWithoutTLS(t *testing.T) {
	p := newPlainNetwork(t)
	p.run("cryptogen", "generate", "--config", p.write("crypto-config.yaml", plainOrganisations), "--algorithm", "gm", "--output", p.path("crypto"))
	p.write("configtx.yaml", p.fill(plainChannel))
	p.run("configtxgen", "-configPath", p.dir, "-profile", "plain", "-channelID", "plain", "-outputBlock", p.path("plain.block"))

	tls := p.path("crypto/ordererOrganizations/example.com/orderers/orderer.example.com/tls")
	p.startNode("orderer", "ORDERER_GENERAL_TLS_ENABLED=false", "ORDERER_GENERAL_LISTENPORT="+p.port("orderer"),
		"ORDERER_GENERAL_LOCALMSPID=OrdererMSP", "ORDERER_GENERAL_LOCALMSPDIR="+filepath.Join(tls, "../msp"),
		"ORDERER_GENERAL_BOOTSTRAPMETHOD=none", "ORDERER_CHANNELPARTICIPATION_ENABLED=true",
		"ORDERER_GENERAL_CLUSTER_LISTENADDRESS=127.0.0.1", "ORDERER_GENERAL_CLUSTER_LISTENPORT="+p.port("cluster"),
		"ORDERER_GENERAL_CLUSTER_SERVERCERTIFICATE="+tls+"/server.crt", "ORDERER_GENERAL_CLUSTER_SERVERPRIVATEKEY="+tls+"/server.key",
		"ORDERER_GENERAL_CLUSTER_CLIENTCERTIFICATE="+tls+"/server.crt", "ORDERER_GENERAL_CLUSTER_CLIENTPRIVATEKEY="+tls+"/server.key",
		"ORDERER_GENERAL_CLUSTER_ROOTCAS=["+tls+"/ca.crt]",
		"ORDERER_ADMIN_LISTENADDRESS=127.0.0.1:"+p.port("admin"), "ORDERER_ADMIN_TLS_ENABLED=false",
		"ORDERER_OPERATIONS_LISTENADDRESS=127.0.0.1:"+p.port("orderer-operations"),
		"ORDERER_FILELEDGER_LOCATION="+p.path("orderer"), "ORDERER_CONSENSUS_WALDIR="+p.path("wal"), "ORDERER_CONSENSUS_SNAPDIR="+p.path("snap"))
	peers := p.path("crypto/peerOrganizations/org1.example.com")
	peer := []string{
		"CORE_PEER_TLS_ENABLED=false", "CORE_PEER_ADDRESS=127.0.0.1:" + p.port("peer"), "CORE_PEER_LOCALMSPID=Org1MSP",
	}
	p.startNode("peer node start", append(peer, "CORE_PEER_ID=peer0.org1.example.com", "CORE_PEER_LISTENADDRESS=127.0.0.1:"+p.port("peer"),
		"CORE_PEER_CHAINCODELISTENADDRESS=127.0.0.1:"+p.port("chaincode"), "CORE_PEER_FILESYSTEMPATH="+p.path("peer"),
		"CORE_LEDGER_SNAPSHOTS_ROOTDIR="+p.path("snapshots"), "CORE_VM_ENDPOINT=", "CORE_PEER_GOSSIP_BOOTSTRAP=127.0.0.1:"+p.port("peer"),
		"CORE_OPERATIONS_LISTENADDRESS=127.0.0.1:"+p.port("peer-operations"),
		"CORE_PEER_MSPCONFIGPATH="+peers+"/peers/peer0.org1.example.com/msp")...)
	p.awaitHealthy("orderer-operations")
	p.awaitHealthy("peer-operations")

	p.run("osnadmin", "channel", "join", "-o", "127.0.0.1:"+p.port("admin"), "--channelID", "plain", "--config-block", p.path("plain.block"))
	admin := append(peer, "CORE_PEER_MSPCONFIGPATH="+peers+"/users/Admin@org1.example.com/msp")
	p.runWith(admin, "peer", "channel", "join", "-b", p.path("plain.block"))
	require.Contains(t, p.runWith(admin, "peer", "channel", "list"), "plain")

	// The peer follows the channel, and both nodes check what an SM2 member signs.
	p.await("the peer to follow the orderer", func() error {
		out, err := p.try(admin, "peer", "channel", "getinfo", "-c", "plain")
		if err == nil && !strings.Contains(out, `"height":1`) {
			err = fmt.Errorf("the peer answers %s", out)
		}
		return err
	})
	p.await("the orderer to serve a member", func() error {
		_, err := p.try(admin, "peer", "channel", "fetch", "newest", p.path("newest.block"), "-o", "127.0.0.1:"+p.port("orderer"), "-c", "plain")
		return err
	})
	stranger := append(peer, "CORE_PEER_MSPCONFIGPATH="+p.path("strangers/peerOrganizations/org1.example.com/users/Admin@org1.example.com/msp"))
	p.run("cryptogen", "generate", "--config", p.path("crypto-config.yaml"), "--algorithm", "gm", "--output", p.path("strangers"))
	_, err := p.try(stranger, "peer", "channel", "fetch", "newest", p.path("none.block"), "-o", "127.0.0.1:"+p.port("orderer"), "-c", "plain")
	require.ErrorContains(t, err, "FORBIDDEN", "the orderer serves a stranger with a certificate of the same name")
	_, err = p.try(stranger, "peer", "channel", "getinfo", "-c", "plain")
	require.ErrorContains(t, err, "access denied", "the peer serves a stranger")
}

const plainOrganisations = `
OrdererOrgs:
  - {Name: Orderer, Domain: example.com, EnableNodeOUs: true, Specs: [{Hostname: orderer, SANS: [127.0.0.1]}]}
PeerOrgs:
  - {Name: Org1, Domain: org1.example.com, EnableNodeOUs: true, Specs: [{Hostname: peer0, SANS: [127.0.0.1]}], Users: {Count: 1}}
`

// DIR, ORDERER, CLUSTER and PEER stand for the folder and the ports.
const plainChannel = `
Profiles:
  plain:
    Policies: &implicit
      Readers: {Type: ImplicitMeta, Rule: ANY Readers}
      Writers: {Type: ImplicitMeta, Rule: ANY Writers}
      Admins: {Type: ImplicitMeta, Rule: ANY Admins}
    Capabilities: {V2_0: true}
    Orderer:
      OrdererType: etcdraft
      BatchTimeout: 200ms
      BatchSize: {MaxMessageCount: 10, AbsoluteMaxBytes: 1 MB, PreferredMaxBytes: 1 MB}
      Capabilities: {V2_0: true}
      Policies:
        <<: *implicit
        BlockValidation: {Type: ImplicitMeta, Rule: ANY Writers}
      EtcdRaft:
        Consenters:
          - Host: 127.0.0.1
            Port: CLUSTER
            ClientTLSCert: &cert DIR/crypto/ordererOrganizations/example.com/orderers/orderer.example.com/tls/server.crt
            ServerTLSCert: *cert
        Options: {TickInterval: 100ms, ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 16 MB}
      Organizations:
        - Name: Orderer
          ID: OrdererMSP
          MSPDir: DIR/crypto/ordererOrganizations/example.com/msp
          OrdererEndpoints: ["127.0.0.1:ORDERER"]
          Policies:
            Readers: {Type: Signature, Rule: "OR('OrdererMSP.member')"}
            Writers: {Type: Signature, Rule: "OR('OrdererMSP.member')"}
            Admins: {Type: Signature, Rule: "OR('OrdererMSP.admin')"}
    Application:
      Capabilities: {V2_5: true}
      Policies:
        <<: *implicit
        LifecycleEndorsement: {Type: ImplicitMeta, Rule: MAJORITY Endorsement}
        Endorsement: {Type: ImplicitMeta, Rule: MAJORITY Endorsement}
      Organizations:
        - Name: Org1
          ID: Org1MSP
          MSPDir: DIR/crypto/peerOrganizations/org1.example.com/msp
          AnchorPeers: [{Host: 127.0.0.1, Port: PEER}]
          Policies:
            Readers: {Type: Signature, Rule: "OR('Org1MSP.member')"}
            Writers: {Type: Signature, Rule: "OR('Org1MSP.member')"}
            Admins: {Type: Signature, Rule: "OR('Org1MSP.admin')"}
            Endorsement: {Type: Signature, Rule: "OR('Org1MSP.peer')"}
`

// plainNetwork runs Fabric's commands as an operator does, with the sample configuration and settings from the environment.
type plainNetwork struct {
	t        *testing.T
	ctx      context.Context
	dir, bin string
	ports    map[string]string
}

func newPlainNetwork(t *testing.T) *plainNetwork {
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	p := &plainNetwork{t: t, ctx: ctx, dir: t.TempDir(), bin: networktest.Bin(t), ports: map[string]string{}}
	base := freeBlock(t)
	for i, name := range []string{"orderer", "cluster", "admin", "orderer-operations", "peer", "chaincode", "peer-operations"} {
		p.ports[name] = fmt.Sprint(base + i)
	}
	return p
}

func (p *plainNetwork) path(name string) string { return filepath.Join(p.dir, name) }
func (p *plainNetwork) port(name string) string { return p.ports[name] }

func (p *plainNetwork) write(name, text string) (path string) {
	require.NoError(p.t, os.WriteFile(p.path(name), []byte(text), 0o600))
	return p.path(name)
}

func (p *plainNetwork) fill(text string) string {
	return strings.NewReplacer("DIR", p.dir, "CLUSTER", p.port("cluster"), "ORDERER", p.port("orderer"), "PEER", p.port("peer")).Replace(text)
}

func (p *plainNetwork) command(env []string, line ...string) *exec.Cmd {
	tree := strings.Replace(filepath.Base(p.bin), "bin", "fabric", 1) // that the binaries were built from
	cmd := exec.CommandContext(p.ctx, filepath.Join(p.bin, line[0]), line[1:]...)
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "FABRIC_CFG_PATH="+filepath.Join(p.bin, "..", tree, "sampleconfig"))
	cmd.Dir = p.dir
	return cmd
}

func (p *plainNetwork) try(env []string, line ...string) (string, error) {
	out, err := p.command(env, line...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%v: %w\n%s", line, err, out)
	}
	return string(out), nil
}

func (p *plainNetwork) runWith(env []string, line ...string) string {
	p.t.Helper()
	out, err := p.try(env, line...)
	require.NoError(p.t, err)
	return out
}

func (p *plainNetwork) run(line ...string) { p.t.Helper(); p.runWith(nil, line...) }

// startNode runs a node until the end of the test.
func (p *plainNetwork) startNode(line string, env ...string) {
	p.t.Helper()
	cmd := p.command(env, strings.Fields(line)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(p.t, cmd.Start())
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if p.t.Failed() {
			lines := strings.Split(log.String(), "\n")
			p.t.Logf("end of the log of %s:\n%s", line, strings.Join(lines[max(0, len(lines)-30):], "\n"))
		}
	})
}

func (p *plainNetwork) awaitHealthy(port string) {
	p.t.Helper()
	p.await(port+" to be healthy", func() error {
		answer, err := http.Get("http://127.0.0.1:" + p.port(port) + "/healthz")
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", answer.Status)
		}
		return nil
	})
}

func (p *plainNetwork) await(what string, ready func() error) {
	p.t.Helper()
	var err error
	require.Eventually(p.t, func() bool { err = ready(); return err == nil }, time.Minute, 200*time.Millisecond, "waiting for %s", what)
	require.NoError(p.t, err)
}
