// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
