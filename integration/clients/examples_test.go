// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/hyperledger/fabric/integration/chaincode/asset/contract"
	"github.com/hyperledger/fabric/internal/kittest/fakenet"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/hyperledger/fabric/pkg/gmgateway"
)

// TestExamples has the examples of each language submit and read at a gateway that speaks only TLCP and verifies their
// signatures. TestTransactions does the same on a network.
func TestExamples(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	chaincode, err := contract.NewChaincode()
	require.NoError(t, err)
	n := fakenet.New(t, chaincode, fakenet.Options{Chaincode: "asset", Mode: gmgateway.ModeGM})
	proxy := startProxy(ctx, t, n.Address, write(t, filepath.Join(t.TempDir(), "gm-ca.crt"), n.GMCA.CertPEM))
	id := newIdentity(ctx, t)
	env := append(os.Environ(), "MSP_ID=Org1MSP", "CERTIFICATE="+id.certificate, "PRIVATE_KEY="+id.plain, "CHANNEL="+fakepeer.Channel, "CHAINCODE=asset")
	t.Run("node", func(t *testing.T) {
		cmd := node(ctx, t, "transaction")
		cmd.Env = append(env, "GATEWAY=http://"+proxy)
		requireTransaction(t, cmd, "node")
	})
	t.Run("java", func(t *testing.T) {
		cmd := exec.CommandContext(ctx, "java", "-cp", buildJava(ctx, t), "Transaction")
		cmd.Env = append(env, "GATEWAY="+proxy)
		requireTransaction(t, cmd, "java")
	})
}

// requireJava asks for what docs/applications.md has installed.
func requireJava(t *testing.T) {
	t.Helper()
	_, noCompiler := exec.LookPath("javac")
	_, noGenerator := exec.LookPath("protoc")
	_, noPlugin := exec.LookPath("grpc_java_plugin")
	_, noLibrary := os.Stat(filepath.Join(jars, "grpc-netty.jar"))
	err := errors.Join(noCompiler, noGenerator, noPlugin, noLibrary)
	requireTool(t, err == nil, fmt.Sprintf("what docs/applications.md has installed for Java (%v)", err))
}

// buildJava compiles the Java examples as docs/applications.md says, and returns the class path to run them with.
func buildJava(ctx context.Context, t *testing.T) string {
	t.Helper()
	requireJava(t)
	descriptors := t.TempDir()
	names, err := exec.CommandContext(ctx, "go", "run", "../../clients/java/descriptors", filepath.Join(descriptors, "fabric.binpb")).Output()
	require.NoError(t, err)
	write(t, filepath.Join(descriptors, "names"), names)
	build := exec.CommandContext(ctx, "../../clients/java/build.sh", filepath.Join(t.TempDir(), "out"))
	build.Env = append(os.Environ(), "DESCRIPTORS="+descriptors)
	build.Stderr = t.Output()
	path, err := build.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(path))
}

func requireTransaction(t *testing.T, cmd *exec.Cmd, owner string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `committed `+owner+`-\d+ in block \d+\n`, string(out))
	require.Contains(t, string(out), fmt.Sprintf(`"owner":%q`, owner))
}

// lostGateway endorses and takes transactions, and does not tell what became of them.
type lostGateway struct {
	gateway.UnimplementedGatewayServer
	left chan time.Duration // for the call of submit
}

// endorsing is how long an endorsement takes.
const endorsing = 5 * time.Second

func (*lostGateway) Endorse(context.Context, *gateway.EndorseRequest) (*gateway.EndorseResponse, error) {
	time.Sleep(endorsing)
	return &gateway.EndorseResponse{PreparedTransaction: &common.Envelope{Payload: []byte("a payload")}}, nil
}

func (g *lostGateway) Submit(ctx context.Context, _ *gateway.SubmitRequest) (*gateway.SubmitResponse, error) {
	if end, ok := ctx.Deadline(); ok {
		g.left <- time.Until(end)
	}
	return &gateway.SubmitResponse{}, nil
}

// TestUnknownCommit: an example whose transaction may have been committed names it, and in Java the calls before take no time from the next.
func TestUnknownCommit(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	lost := &lostGateway{left: make(chan time.Duration, 2)}
	server := grpc.NewServer()
	gateway.RegisterGatewayServer(server, lost)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	id := newIdentity(ctx, t)
	for name, cmd := range map[string]*exec.Cmd{
		"node": node(ctx, t, "transaction"),
		"java": exec.CommandContext(ctx, "java", "-cp", buildJava(ctx, t), "Transaction"),
	} {
		address := listener.Addr().String()
		if name == "node" {
			address = "http://" + address
		}
		cmd.Env = append(os.Environ(), "MSP_ID=Org1MSP", "CERTIFICATE="+id.certificate, "PRIVATE_KEY="+id.plain, "CHANNEL=trade", "CHAINCODE=asset",
			"GATEWAY="+address)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, name)
		require.Regexp(t, "it is not known whether transaction [0-9a-f]{64} was committed: ", string(out), name)
	}
	require.Greater(t, <-lost.left, time.Minute-endorsing)
}
