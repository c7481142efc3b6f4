// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// asProgram makes the test binary behave as the program.
const asProgram = "ASSET_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program returns the program as a command with nothing but env in its environment.
func program(ctx context.Context, env []string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	out := &bytes.Buffer{}
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append([]string{asProgram + "=1"}, env...), out, out
	return cmd, out
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// TestProgram runs the program as an operator would, over TLCP: environment, health, a peer, a signal.
func TestProgram(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ca, dir := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "root"), t.TempDir()
	own := ca.NewPair(t, "127.0.0.1")
	address := freeAddress(t)
	env := []string{
		"CHAINCODE_SERVER_ADDRESS=" + address, "CORE_CHAINCODE_ID_NAME=asset:1",
		"CORE_PEER_TLS_ENABLED=true", "CHAINCODE_TLS_MODE=gm",
	}
	for name, content := range map[string][]byte{
		"CHAINCODE_TLCP_SIGN_CERT": own.SignCert, "CHAINCODE_TLCP_SIGN_KEY": own.SignKey,
		"CHAINCODE_TLCP_ENC_CERT": own.EncCert, "CHAINCODE_TLCP_ENC_KEY": own.EncKey,
		"CHAINCODE_CLIENT_CA_CERT": ca.CertPEM,
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		env = append(env, name+"="+file)
	}
	healthy := func() bool {
		cmd, _ := program(ctx, env, "-health")
		return cmd.Run() == nil
	}
	require.False(t, healthy(), "nothing listens yet")

	server, out := program(ctx, env)
	require.NoError(t, server.Start())
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	require.Eventually(t, healthy, 30*time.Second, 20*time.Millisecond)

	pair, err := gmtls.X509KeyPair(own.SignCert, own.SignKey, own.EncCert, own.EncKey)
	require.NoError(t, err)
	pool := gmx509.NewCertPool()
	pool.AddCert(ca.Cert)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(gmcredentials.New(
		&gmtls.Config{RootCAs: pool.SM(), Certificates: []gmtls.Certificate{pair}})))
	require.NoError(t, err)
	defer conn.Close()
	p, err := fakepeer.Connect(ctx, conn)
	require.NoError(t, err)
	require.Equal(t, "asset:1", p.ChaincodeID)
	user := ca.Issue(t, pkix.Name{CommonName: "user"})
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: "Org1MSP", IdBytes: user.CertPEM})
	require.NoError(t, err)
	result, err := p.Evaluate(fakepeer.Request{Creator: creator, Args: []string{"WhoAmI"}})
	require.NoError(t, err)
	require.EqualValues(t, shim.OK, result.Response.GetStatus(), result.Response.GetMessage())
	require.Contains(t, string(result.Response.GetPayload()), "sm2p256v1")

	require.NoError(t, server.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-ended:
		require.NoError(t, err, "%s", out)
	case <-ctx.Done():
		t.Fatal("the program does not end on SIGTERM")
	}
	require.False(t, healthy(), "nothing listens any more")
	require.Contains(t, out.String(), "serving on "+address)
}

func TestProgramRefusesAnIncompleteEnvironment(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd, out := program(ctx, []string{"CHAINCODE_SERVER_ADDRESS=127.0.0.1:0", "CHAINCODE_ID=asset:1", "CHAINCODE_TLS_MODE=gm"})
	require.Error(t, cmd.Run())
	require.Contains(t, out.String(), "CHAINCODE_TLCP_SIGN_CERT")
}
