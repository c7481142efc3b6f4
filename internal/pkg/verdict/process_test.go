// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startLimit ends a node that neither starts nor stops.
const startLimit = 2 * time.Minute

// programs are built once for the test; what they import is in the build cache of the packages' own tests.
func programs(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "github.com/hyperledger/fabric/cmd/"+name)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return dir
}

// command runs one of the programs with nothing else in its environment.
func command(ctx context.Context, bin, name string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}, env...)
	return cmd
}

// starts runs a node until it serves, and returns nil, or what it said before it ended by itself.
func starts(t *testing.T, cmd *exec.Cmd, serving string) error {
	t.Helper()
	out, err := cmd.StderrPipe()
	require.NoError(t, err)
	cmd.Stdout = cmd.Stderr
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var said strings.Builder
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.Contains(lines.Text(), serving) {
			return nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	require.NotContains(t, said.String(), "goroutine ", "a stack instead of a reason")
	return errors.New(said.String())
}

// peer starts a peer with an MSP folder, and with TLCP if there is a tls folder.
func peer(ctx context.Context, t *testing.T, bin, mspDir, tlsDir, password string) error {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile("../../../sampleconfig/core.yaml")
	require.NoError(t, err)
	config = []byte(strings.Replace(string(config), "endpoint: unix:///var/run/docker.sock", "endpoint:", 1)) // no Docker daemon
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), config, 0o600))
	env := []string{
		"FABRIC_CFG_PATH=" + dir, "CORE_PEER_MSPCONFIGPATH=" + mspDir, "CORE_PEER_LOCALMSPID=SampleOrg", "CORE_PEER_FILESYSTEMPATH=" + filepath.Join(dir, "data"),
		"CORE_LEDGER_SNAPSHOTS_ROOTDIR=" + filepath.Join(dir, "snapshots"), "CORE_PEER_ADDRESS=127.0.0.1:7051", "CORE_PEER_LISTENADDRESS=127.0.0.1:0",
		"CORE_PEER_CHAINCODELISTENADDRESS=127.0.0.1:0", "CORE_OPERATIONS_LISTENADDRESS=127.0.0.1:0",
	}
	if tlsDir != "" {
		in := func(name string) string { return filepath.Join(tlsDir, name) }
		env = append(env, "CORE_PEER_TLS_ENABLED=true", "CORE_PEER_TLS_MODE=gm", "CORE_PEER_TLS_CLIENTMODE=gm",
			"CORE_PEER_TLS_ROOTCERT_FILE="+in("gm-ca.crt"), "CORE_PEER_TLS_GM_SIGNCERT_FILE="+in("server-sign.crt"),
			"CORE_PEER_TLS_GM_SIGNKEY_FILE="+in("server-sign.key"), "CORE_PEER_TLS_GM_ENCCERT_FILE="+in("server-enc.crt"),
			"CORE_PEER_TLS_GM_ENCKEY_FILE="+in("server-enc.key"), "CORE_PEER_TLS_GM_KEYPASSWORD_FILE="+password)
	}
	return starts(t, command(ctx, bin, "peer", env, "node", "start"), "Started peer with ID")
}

// freePort is one that nothing listens at; the orderer takes 0 for its default. It is not among those that the system gives out, or somebody
// could have it before the orderer listens.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 12000 + rand.IntN(19000)
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	t.Fatal("there is no free port from 12000 to 31000")
	return 0
}

// orderer starts an orderer likewise. It does not serve clusters without TLS, so it always has a tls folder.
func orderer(ctx context.Context, t *testing.T, bin, mspDir, tlsDir, password string) error {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile("../../../sampleconfig/orderer.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "orderer.yaml"), config, 0o600))
	env := []string{
		"FABRIC_CFG_PATH=" + dir, "ORDERER_GENERAL_LOCALMSPDIR=" + mspDir, "ORDERER_GENERAL_LOCALMSPID=SampleOrg", "ORDERER_GENERAL_BOOTSTRAPMETHOD=none",
		"ORDERER_CHANNELPARTICIPATION_ENABLED=true", "ORDERER_GENERAL_LISTENADDRESS=127.0.0.1", fmt.Sprint("ORDERER_GENERAL_LISTENPORT=", freePort(t)),
		"ORDERER_FILELEDGER_LOCATION=" + filepath.Join(dir, "ledger"), "ORDERER_CONSENSUS_WALDIR=" + filepath.Join(dir, "wal"),
		"ORDERER_CONSENSUS_SNAPDIR=" + filepath.Join(dir, "snap"), "ORDERER_ADMIN_LISTENADDRESS=127.0.0.1:0", "ORDERER_OPERATIONS_LISTENADDRESS=127.0.0.1:0",
	}
	if tlsDir == "" {
		tlsDir = filepath.Join(mustAbs(t, cases), "base/peer/tls")
	}
	in := func(name string) string { return filepath.Join(tlsDir, name) }
	env = append(env, "ORDERER_GENERAL_TLS_ENABLED=true", "ORDERER_GENERAL_TLS_MODE=gm", "ORDERER_GENERAL_TLS_CLIENTMODE=gm",
		"ORDERER_GENERAL_TLS_ROOTCAS=["+in("gm-ca.crt")+"]", "ORDERER_GENERAL_CLUSTER_ROOTCAS=["+in("gm-ca.crt")+"]",
		"ORDERER_GENERAL_TLS_GMSIGNCERTIFICATE="+in("server-sign.crt"), "ORDERER_GENERAL_TLS_GMSIGNPRIVATEKEY="+in("server-sign.key"),
		"ORDERER_GENERAL_TLS_GMENCCERTIFICATE="+in("server-enc.crt"), "ORDERER_GENERAL_TLS_GMENCPRIVATEKEY="+in("server-enc.key"),
		"ORDERER_GENERAL_TLS_GMKEYPASSWORDFILE="+password)
	return starts(t, command(ctx, bin, "orderer", env), "Beginning to serve requests")
}

// TestProcesses: peers and orderers themselves start with what the tables call good, and refuse the rest by the file's name and without
// a stack; a row or two of each kind.
func TestProcesses(t *testing.T) {
	bin := programs(t, "peer", "orderer")
	password := passwordFile(t)
	for folder, rows := range map[string]map[string]row{"base/peer/msp": mspRows(t), "base/peer/tls": tlsRows(t)} {
		names := []string{"as it is", "key of another", "CA is cut", "certificate in crls", "list that revokes DER", "another SM2 id", "name constraints", "CA in DER"}
		if folder == "base/peer/tls" {
			names = []string{"as it is", "two subjects", "certificate is cut", "root is another", "encrypted keys of GmSSL", "root first", "bad name"}
		}
		for _, name := range names {
			c, ok := rows[name]
			require.True(t, ok, name)
			starts := map[string]func(context.Context, *testing.T, string, string, string, string) error{"peer": peer, "orderer": orderer}
			if name == "list that revokes DER" {
				delete(starts, "orderer") // which has no use for its identity before it signs, and whose peers refuse it then
			}
			for kind, start := range starts {
				t.Run(strings.ReplaceAll(kind+" "+filepath.Base(folder)+" "+name, ",", ""), func(t *testing.T) {
					mspDir, tlsDir, blamed := filepath.Join(mustAbs(t, cases), "base/peer/msp"), "", ""
					if folder == "base/peer/msp" {
						mspDir = c.files.into(t, folder)
						blamed = mspDir
					} else {
						tlsDir = c.files.into(t, folder)
						blamed = tlsDir
					}
					ctx, cancel := context.WithTimeout(t.Context(), startLimit)
					defer cancel()
					err := start(ctx, t, bin, mspDir, tlsDir, password)
					require.Equal(t, c.good, err == nil, "%v", err)
					if err != nil && name != "root is another" && name != "two subjects" && name != "list that revokes DER" {
						require.ErrorContains(t, err, blamed)
					}
				})
			}
		}
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	require.NoError(t, err)
	return abs
}

// TestCommands: configtxgen and the builder of chaincode as a service, which judge consenters and connections, as processes.
func TestCommands(t *testing.T) {
	bin := programs(t, "configtxgen", "ccaas/build")
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	msp := filepath.Join(mustAbs(t, cases), "base/peer/msp")
	for name, good := range map[string]bool{"base/peer/tls/server-sign.crt": true, "consenter/enc.pem": false, "base/peer/tls/server-sign.key": false} {
		dir, file := t.TempDir(), filepath.Join(mustAbs(t, cases), name)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "configtx.yaml"), fmt.Appendf(nil, consenterProfile, msp, file, file), 0o600))
		cmd := command(ctx, bin, "configtxgen", []string{"FABRIC_CFG_PATH=" + dir}, "-profile", "P", "-channelID", "c", "-outputBlock", filepath.Join(dir, "block"))
		out, err := cmd.CombinedOutput()
		require.Equal(t, good, err == nil, "%s: %s", name, out)
		if !good {
			require.Contains(t, string(out), file)
			require.NotContains(t, string(out), "goroutine ")
		}
	}
	source, metadata, output := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(source, "connection.json"), read(t, "connection-json/mode-GM.json"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(metadata, "metadata.json"), []byte(`{"type":"ccaas","label":"l"}`), 0o600))
	out, err := command(ctx, bin, "build", nil, source, metadata, output).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "tls_mode")
}

// consenterProfile is a configtx.yaml with one organisation, and one consenter's two files.
const consenterProfile = `
Profiles:
  P:
    Policies: &policies
      Readers: {Type: ImplicitMeta, Rule: ANY Readers}
      Writers: {Type: ImplicitMeta, Rule: ANY Writers}
      Admins: {Type: ImplicitMeta, Rule: ANY Admins}
    Capabilities: {V2_0: true}
    Orderer:
      OrdererType: etcdraft
      Addresses: [127.0.0.1:7050]
      BatchTimeout: 2s
      BatchSize: {MaxMessageCount: 10, AbsoluteMaxBytes: 10 MB, PreferredMaxBytes: 1 MB}
      Capabilities: {V2_0: true}
      Policies:
        <<: *policies
        BlockValidation: {Type: ImplicitMeta, Rule: ANY Writers}
      Organizations:
        - &org
          Name: Org
          ID: SampleOrg
          MSPDir: %s
          Policies:
            Readers: {Type: Signature, Rule: OR('SampleOrg.member')}
            Writers: {Type: Signature, Rule: OR('SampleOrg.member')}
            Admins: {Type: Signature, Rule: OR('SampleOrg.admin')}
            Endorsement: {Type: Signature, Rule: OR('SampleOrg.peer')}
      EtcdRaft:
        Consenters:
          - {Host: 127.0.0.1, Port: 7050, ClientTLSCert: %s, ServerTLSCert: %s}
    Application:
      Organizations: [*org]
      Capabilities: {V2_0: true}
      Policies:
        <<: *policies
        LifecycleEndorsement: {Type: ImplicitMeta, Rule: MAJORITY Endorsement}
        Endorsement: {Type: ImplicitMeta, Rule: MAJORITY Endorsement}
`
