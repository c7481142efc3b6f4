// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

var listening = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// startProxy runs gmtls proxy in front of a peer's gateway for the length of the test and returns where it listens.
func startProxy(ctx context.Context, t *testing.T, peer network.Node, root string) string {
	t.Helper()
	address, _ := runProxy(ctx, t, peer, root)
	return address
}

// runProxy is startProxy, and returns the process as well.
func runProxy(ctx context.Context, t *testing.T, peer network.Node, root string, flags ...string) (address string, process *os.Process) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "../../build/bin/gmtls", append([]string{"proxy", "--listen", "127.0.0.1:0", "--from", "plain", "--alpn", "h2",
		"--to", peer.Address(), "--to-mode", "tlcp", "--ca", root}, flags...)...)
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

// descriptors writes Fabric's protocol, as the Go module declares it, for protoc to read.
func descriptors(t *testing.T, file string) (names []string) {
	t.Helper()
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	var add func(f protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
		if !strings.HasPrefix(f.Path(), "google/") {
			names = append(names, f.Path())
		}
	}
	add(gateway.File_gateway_gateway_proto)
	add(msp.File_msp_identities_proto)
	data, err := proto.Marshal(set)
	require.NoError(t, err)
	write(t, file, data)
	return names
}

// compileTransaction builds the Java example with stubs that protoc makes, and returns the class path to run it with.
func compileTransaction(ctx context.Context, t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range []string{"javac", "protoc", "grpc_java_plugin"} {
		_, err := exec.LookPath(tool)
		requireTool(t, err == nil, tool)
	}
	path := classPath(t, "bcprov", "bcpkix", "bcutil", "protobuf", "grpc-api", "grpc-core", "grpc-context", "grpc-stub", "grpc-protobuf",
		"grpc-protobuf-lite", "grpc-netty", "netty-common", "netty-buffer", "netty-transport", "netty-resolver", "netty-handler", "netty-codec", "netty-codec-http",
		"netty-codec-http2", "guava", "perfmark-api", "geronimo-annotation-1.3-spec")
	set := filepath.Join(dir, "set.bin")
	names := descriptors(t, set)
	generated := filepath.Join(dir, "generated")
	require.NoError(t, os.Mkdir(generated, 0o700))
	plugin, err := exec.LookPath("grpc_java_plugin")
	require.NoError(t, err)
	out, err := exec.CommandContext(ctx, "protoc", append([]string{"--descriptor_set_in=" + set, "--java_out=" + generated,
		"--plugin=protoc-gen-grpc-java=" + plugin, "--grpc-java_out=" + generated}, names...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	var sources []string
	require.NoError(t, filepath.WalkDir(generated, func(file string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			sources = append(sources, file)
		}
		return err
	}))
	compileJava(ctx, t, dir, path, append(sources, "../../clients/java/example/Transaction.java")...)
	return dir + ":" + path
}

// TestTransactions submits a transaction with each client to a network that speaks TLCP alone, and reads it back.
func TestTransactions(t *testing.T) {
	n, ctx := networktest.Start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Peers: 1})
	org := n.Peers[0]
	peer := n.Nodes(network.Peer)[0]
	domain := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain)
	user := filepath.Join(domain, "users", "User1@"+org.Domain, "msp")
	proxy := startProxy(ctx, t, peer, filepath.Join(domain, "peers", peer.Name, "tls", "gm-ca.crt"))
	one := func(pattern string) string {
		files, err := filepath.Glob(filepath.Join(user, pattern))
		require.NoError(t, err)
		require.Len(t, files, 1, pattern)
		return files[0]
	}
	env := append(os.Environ(), "MSP_ID="+org.MSPID, "CERTIFICATE="+one("signcerts/*"), "PRIVATE_KEY="+one("keystore/*"),
		"CHANNEL="+n.Channel, "CHAINCODE="+network.ChaincodeName)
	t.Run("node", func(t *testing.T) {
		cmd := node(ctx, t, "transaction")
		cmd.Env = append(env, "GATEWAY=http://"+proxy)
		requireTransaction(t, cmd, "node")
	})
	t.Run("java", func(t *testing.T) {
		cmd := exec.CommandContext(ctx, "java", "-cp", compileTransaction(ctx, t), "Transaction")
		cmd.Env = append(env, "GATEWAY="+proxy)
		requireTransaction(t, cmd, "java")
	})
}

func requireTransaction(t *testing.T, cmd *exec.Cmd, owner string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `committed `+owner+`-\d+ in block \d+\n`, string(out))
	require.Contains(t, string(out), fmt.Sprintf(`"owner":%q`, owner))
}
