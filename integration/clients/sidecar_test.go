// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	fabricid "github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/integration/chaincode/asset/contract"
	"github.com/hyperledger/fabric/internal/kittest/fakenet"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/hyperledger/fabric/pkg/gmgateway"
)

// sidecar is a proxy that runs on an application's host.
type sidecar struct {
	address, metrics string
	root             string // the file of the root that it trusts
	hangUp           func() // sends SIGHUP
}

var listening = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// startProxy runs gmtls proxy in front of a server for the length of the test and returns where it listens.
func startProxy(ctx context.Context, t *testing.T, server, root string) string {
	t.Helper()
	address, _ := runProxy(ctx, t, server, root)
	return address
}

// runProxy is startProxy, and returns the process as well.
func runProxy(ctx context.Context, t *testing.T, server, root string, flags ...string) (address string, process *os.Process) {
	t.Helper()
	cmd := exec.CommandContext(ctx, buildProxy(ctx, t), append([]string{"proxy", "--listen", "127.0.0.1:0", "--from", "plain", "--alpn", "h2",
		"--to", server, "--to-mode", "tlcp", "--ca", root}, flags...)...)
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if address := listening.FindString(lines.Text()); address != "" {
			go func() {
				for lines.Scan() { // keeps the pipe empty
				}
			}()
			return address, cmd.Process
		}
	}
	t.Fatal("the proxy ended before it listened")
	return "", nil
}

// buildProxy builds gmtls as it stands.
func buildProxy(ctx context.Context, t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(ctx, "go", "build", "-o", dir, "../../cmd/gmtls").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(dir, "gmtls")
}

// TestSidecar has the unmodified SDK with an ECDSA identity ask a gateway that speaks only TLCP, through a proxy that is
// reloaded: one that runs as a process, and the one of docs/applications.md as a service of Compose.
func TestSidecar(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	chaincode, err := contract.NewChaincode()
	require.NoError(t, err)
	n := fakenet.New(t, chaincode, fakenet.Options{Chaincode: "asset", Mode: gmgateway.ModeGM})
	right, wrong := n.GMCA.CertPEM, gmtlstest.NewCA(t).CertPEM
	t.Run("process", func(t *testing.T) {
		s := sidecar{root: write(t, filepath.Join(t.TempDir(), "gm-ca.crt"), right), metrics: freeAddress(t)}
		address, process := runProxy(ctx, t, n.Address, s.root, "--metrics", s.metrics)
		s.address = address
		s.hangUp = func() { require.NoError(t, process.Signal(syscall.SIGHUP)) }
		s.exercise(t, right, wrong)
	})
	t.Run("compose", func(t *testing.T) {
		if _, err := exec.LookPath("docker-compose"); err != nil {
			t.Skip("no docker-compose here: ", err)
		}
		if out, err := exec.Command("docker", "image", "inspect", "fabric-gm-tools").CombinedOutput(); err != nil {
			t.Skipf("make docker has built no image: %s", out)
		}
		compose(ctx, t, n.Address, right).exercise(t, right, wrong)
	})
}

// ecdsaUser is a user of an ECDSA organisation, with the SDK's own signer.
func ecdsaUser(t *testing.T) (*fabricid.X509Identity, fabricid.Sign) {
	t.Helper()
	user := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").Issue(t, pkix.Name{CommonName: "user"})
	id, err := fabricid.NewX509Identity("Org1MSP", user.Cert)
	require.NoError(t, err)
	sign, err := fabricid.NewPrivateKeySign(user.Key)
	require.NoError(t, err)
	return id, sign
}

// stockGateway is fabric-gateway as it comes, over a connection without protection.
func stockGateway(t *testing.T, proxy string, id fabricid.Identity, sign fabricid.Sign, options ...client.ConnectOption) *client.Gateway {
	t.Helper()
	conn, err := grpc.NewClient(proxy, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	gateway, err := client.Connect(id, append(options, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(conn))...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = gateway.Close() })
	return gateway
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// compose starts the service of the document, in this machine's network in place of an application's container.
func compose(ctx context.Context, t *testing.T, server string, root []byte) sidecar {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../docs/applications.md"), "```yaml\nservices:\n")
	require.True(t, found)
	text, _, _ := strings.Cut(rest, "```")
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // the container has another user
	s := sidecar{address: freeAddress(t), metrics: freeAddress(t), root: filepath.Join(dir, "gm-ca.crt")}
	require.NoError(t, os.WriteFile(s.root, root, 0o644))
	text = "version: '2.4'\nservices:\n" + strings.NewReplacer(`"service:application"`, "host", "127.0.0.1:17051", s.address, "127.0.0.1:17052", s.metrics,
		"peer0.org1.example.com:7051", server, "/etc/fabric/app:/etc/fabric/app", dir+":/etc/fabric/app").Replace(text)
	file := write(t, filepath.Join(dir, "compose.yaml"), []byte(text))
	run := func(ctx context.Context, args ...string) {
		t.Helper()
		out, err := exec.CommandContext(ctx, "docker-compose", append([]string{"--project-name", "gmproxy" + strings.TrimPrefix(s.metrics, "127.0.0.1:"), "--file", file}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	t.Cleanup(func() {
		clean, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		run(clean, "down", "--timeout", "1")
	})
	run(ctx, "up", "--detach")
	s.hangUp = func() { run(ctx, "kill", "-s", "HUP", "gmtls-proxy") }
	return s
}

// exercise asks through the proxy, gives it a root that the server's certificate is not from, and the right one again.
func (s sidecar) exercise(t *testing.T, right, wrong []byte) {
	t.Helper()
	require.Eventually(t, func() bool { return s.get("/healthz") != "" }, 30*time.Second, 100*time.Millisecond, "the proxy is not healthy")
	id, sign := ecdsaUser(t)
	ask := func() error {
		contract := stockGateway(t, s.address, id, sign).GetNetwork(fakepeer.Channel).GetContract("asset")
		_, err := contract.EvaluateTransaction("AssetExists", "a1")
		return err
	}
	require.NoError(t, ask())
	s.reload(t, wrong, "1")
	require.Error(t, ask())
	s.reload(t, right, "2")
	require.NoError(t, ask())
}

// reload puts a root in the place of the present one and waits until the proxy has read it. The file stays the same one, as
// Docker binds files and folders by what they are.
func (s sidecar) reload(t *testing.T, root []byte, count string) {
	t.Helper()
	require.NoError(t, os.WriteFile(s.root, root, 0o644))
	s.hangUp()
	require.Eventually(t, func() bool { return strings.Contains(s.get("/metrics"), "\ngmtls_proxy_reloads_total "+count+"\n") }, 30*time.Second, 100*time.Millisecond,
		"no reload: %s", s.get("/metrics"))
}

// get returns what the proxy answers, or nothing.
func (s sidecar) get(path string) string {
	response, err := http.Get("http://" + s.metrics + path)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return string(text) + "\n"
}

// TestBlocksThroughTheProxy: a peer that demands client certificates gives blocks to an application that names the proxy's, as the guide
// says, and to no other.
func TestBlocksThroughTheProxy(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	chaincode, err := contract.NewChaincode()
	require.NoError(t, err)
	n := fakenet.New(t, chaincode, fakenet.Options{Chaincode: "asset", Mode: gmgateway.ModeGM, Mutual: true})
	dir := t.TempDir()
	files := n.GMCA.NewPair(t, "application").Write(t, dir, "application")
	address, _ := runProxy(ctx, t, n.Address, write(t, filepath.Join(dir, "gm-ca.crt"), n.GMCA.CertPEM),
		"--cert", files.SignCert, "--key", files.SignKey, "--enc-cert", files.EncCert, "--enc-key", files.EncKey)
	id, sign := ecdsaUser(t)
	block, _ := pem.Decode([]byte(read(t, files.SignCert)))
	sum := sha256.Sum256(block.Bytes)
	for _, named := range []bool{true, false} {
		var options []client.ConnectOption
		if named {
			options = append(options, client.WithTLSClientCertificateHash(sum[:]))
		}
		network := stockGateway(t, address, id, sign, options...).GetNetwork(fakepeer.Channel)
		_, err := network.GetContract("asset").SubmitTransaction("CreateAsset", fmt.Sprint("named-", named), "red", "5", "Tom", "300")
		require.NoError(t, err)
		blocks, err := network.BlockEvents(ctx, client.WithStartBlock(0))
		require.NoError(t, err)
		_, arrived := <-blocks
		require.Equal(t, named, arrived)
	}
}
