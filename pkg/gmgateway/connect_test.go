// SPDX-License-Identifier: Apache-2.0

package gmgateway_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/kittest/fakenet"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/hyperledger/fabric/pkg/gmgateway"
	"github.com/hyperledger/fabric/pkg/gmshim/cid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// register keeps values and tells who put them.
type register struct{}

func (register) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (register) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	function, args := stub.GetFunctionAndParameters()
	var err error
	var payload []byte
	switch function {
	case "put":
		err = errors.Join(stub.PutState(args[0], []byte(args[1])), stub.SetEvent("put", []byte(args[0])))
	case "get":
		payload, err = stub.GetState(args[0])
	case "whoami":
		var mspID string
		mspID, err = cid.GetMSPID(stub)
		payload = []byte(mspID)
	default:
		err = errors.New("unknown function " + function)
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

// values is a YAML or JSON mapping.
type values = map[string]any

func newNetwork(t *testing.T, mode gmgateway.Mode, mutual bool, suites ...uint16) *fakenet.Network {
	t.Helper()
	return fakenet.New(t, register{}, fakenet.Options{Chaincode: "register", Mode: mode, Mutual: mutual, Suites: suites})
}

func connect(t *testing.T, profile values) *gmgateway.Connection {
	t.Helper()
	connection, err := gmgateway.Connect(fakenet.Write(t, profile),
		client.WithEvaluateTimeout(10*time.Second), client.WithEndorseTimeout(10*time.Second))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connection.Close()) })
	return connection
}

// exercise goes through every kind of call, each of which carries a signature that the gateway checks.
func exercise(t *testing.T, connection *gmgateway.Connection) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	channel := connection.GetNetwork(fakepeer.Channel)
	contract := channel.GetContract("register")

	events, err := channel.ChaincodeEvents(ctx, "register", client.WithStartBlock(0))
	require.NoError(t, err)
	blocks, err := channel.BlockEvents(ctx, client.WithStartBlock(0))
	require.NoError(t, err)
	filtered, err := channel.FilteredBlockEvents(ctx, client.WithStartBlock(1))
	require.NoError(t, err)

	_, commit, err := contract.SubmitAsync("put", client.WithArguments("k", "v"))
	require.NoError(t, err)
	result, err := commit.Status()
	require.NoError(t, err)
	require.True(t, result.Successful)
	value, err := contract.EvaluateTransaction("get", "k")
	require.NoError(t, err)
	require.Equal(t, "v", string(value))
	mspID, err := contract.EvaluateTransaction("whoami")
	require.NoError(t, err)
	require.Equal(t, "Org1MSP", string(mspID))
	_, err = contract.EvaluateTransaction("nonsense")
	require.Equal(t, codes.Aborted, status.Code(err), "%v", err)

	event := <-events
	require.NotNil(t, event, "the chaincode event")
	require.Equal(t, commit.TransactionID(), event.TransactionID)
	require.Equal(t, "k", string(event.Payload))
	for number := range uint64(2) {
		block := <-blocks
		require.NotNil(t, block, "block %d", number)
		require.Equal(t, number, block.GetHeader().GetNumber())
	}
	short := <-filtered
	require.NotNil(t, short, "the filtered block")
	require.Equal(t, commit.TransactionID(), short.GetFilteredTransactions()[0].GetTxid())
}

func TestConnect(t *testing.T) {
	for _, mode := range []gmgateway.Mode{gmgateway.ModeTLS, gmgateway.ModeGM} {
		for _, identity := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
			for name, mutual := range map[string]bool{"server certificate": false, "mutual": true} {
				t.Run(string(mode)+" "+identity.String()+" "+name, func(t *testing.T) {
					n := newNetwork(t, mode, mutual)
					exercise(t, connect(t, n.Profile(t, mode, identity, mutual)))
				})
			}
		}
	}
}

// TestTimeLimits: each call has a deadline, by default or by the application's options.
// TestCertificatesThatEnd: the application is told of its identity and of both certificates of its pair.
func TestCertificatesThatEnd(t *testing.T) {
	var text bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&text, nil)))
	defer slog.SetDefault(before)
	n := newNetwork(t, gmgateway.ModeGM, true)
	connect(t, n.Profile(t, gmgateway.ModeGM, gmtlstest.SM2, true))
	require.Equal(t, 3, strings.Count(text.String(), "a certificate of the application ends soon"), text.String())
}

func TestTimeLimits(t *testing.T) {
	n := newNetwork(t, gmgateway.ModeTLS, false)
	profile, err := gmgateway.LoadProfile(fakenet.Write(t, n.Profile(t, gmgateway.ModeTLS, gmtlstest.SM2, false)))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(n.TLSCA.CertPEM))
	var want map[string]time.Duration
	observed := func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		now := time.Now() // after the call began, so that no limit is too short by this
		deadline, ok := ctx.Deadline()
		call := path.Base(method)
		require.True(t, ok, call)
		require.LessOrEqual(t, deadline, now.Add(want[call]), call)
		require.Greater(t, deadline, now.Add(want[call]/2), call)
		delete(want, call)
		return invoke(ctx, method, req, reply, conn, options...)
	}
	conn, err := grpc.NewClient(n.Address, grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "localhost")),
		grpc.WithUnaryInterceptor(observed))
	require.NoError(t, err)
	defer conn.Close()
	for _, test := range []struct {
		options []client.ConnectOption
		want    map[string]time.Duration
	}{
		{nil, map[string]time.Duration{"Evaluate": 30 * time.Second, "Endorse": time.Minute, "Submit": 30 * time.Second, "CommitStatus": 5 * time.Minute}},
		{
			[]client.ConnectOption{client.WithEvaluateTimeout(time.Hour), client.WithEndorseTimeout(2 * time.Hour), client.WithSubmitTimeout(3 * time.Hour), client.WithCommitStatusTimeout(4 * time.Hour)},
			map[string]time.Duration{"Evaluate": time.Hour, "Endorse": 2 * time.Hour, "Submit": 3 * time.Hour, "CommitStatus": 4 * time.Hour},
		},
	} {
		want = test.want
		connection, err := profile.Connect("", append(test.options, client.WithClientConnection(conn))...)
		require.NoError(t, err)
		contract := connection.GetNetwork(fakepeer.Channel).GetContract("register")
		_, err = contract.SubmitTransaction("put", "k", "v")
		require.NoError(t, err)
		_, err = contract.EvaluateTransaction("get", "k")
		require.NoError(t, err)
		require.Empty(t, want, "each call was made")
		require.NoError(t, connection.Close())
	}
}

// TestHeaderFieldsOfAnswers that are too large are refused by gRPC's server, which knows the bound of the client.
func TestHeaderFieldsOfAnswers(t *testing.T) {
	n := newNetwork(t, gmgateway.ModeTLS, false)
	size := 1 << 10
	n.Fail = func(string) error { return status.Error(codes.FailedPrecondition, strings.Repeat("a", size)) }
	contract := connect(t, n.Profile(t, gmgateway.ModeTLS, gmtlstest.SM2, false)).GetNetwork(fakepeer.Channel).GetContract("register")
	for _, want := range []codes.Code{codes.FailedPrecondition, codes.Internal} {
		_, err := contract.EvaluateTransaction("get", "a")
		require.Equal(t, want, status.Code(err), "%.200v", err)
		size = 65 << 10
	}
}

func TestCipherSuites(t *testing.T) {
	for _, suite := range gmtls.CipherSuites() {
		t.Run(suite.Name, func(t *testing.T) {
			n := newNetwork(t, gmgateway.ModeGM, true, suite.ID)
			profile := n.Profile(t, gmgateway.ModeGM, gmtlstest.SM2, true)
			profile["client"].(values)["tls"].(values)["cipherSuites"] = []string{suite.Name}
			exercise(t, connect(t, profile))
		})
	}
	t.Run("TLS 1.3", func(t *testing.T) {
		n := newNetwork(t, gmgateway.ModeGM, true, gmtls.TLS_SM4_GCM_SM3)
		profile := n.Profile(t, gmgateway.ModeGM, gmtlstest.SM2, true)
		refused(t, connect(t, profile)) // by TLCP
		settings := profile["client"].(values)["tls"].(values)
		settings["protocol"] = "TLS13"
		exercise(t, connect(t, profile))
		settings["cipherSuites"] = []string{"ECC_SM4_GCM_SM3"}
		_, err := gmgateway.Connect(fakenet.Write(t, profile))
		require.ErrorContains(t, err, "those of TLCP")
	})
	t.Run("ECDHE needs a pair", func(t *testing.T) {
		profile := fakenet.Strange(t, "127.0.0.1:1").Profile(t, gmgateway.ModeGM, gmtlstest.SM2, false)
		settings := profile["client"].(values)["tls"].(values)
		settings["cipherSuites"] = []string{"ECDHE_SM4_GCM_SM3", "ECDHE_SM4_CBC_SM3"}
		_, err := gmgateway.Connect(fakenet.Write(t, profile))
		require.ErrorContains(t, err, "certificate pair")
		settings["cipherSuites"] = []string{"ECDHE_SM4_GCM_SM3", "ECC_SM4_GCM_SM3"}
		connect(t, profile)
	})
	t.Run("none in common", func(t *testing.T) {
		n := newNetwork(t, gmgateway.ModeGM, true, gmtls.ECC_SM4_GCM_SM3)
		profile := n.Profile(t, gmgateway.ModeGM, gmtlstest.SM2, true)
		profile["client"].(values)["tls"].(values)["cipherSuites"] = []string{"ECC_SM4_CBC_SM3"}
		refused(t, connect(t, profile))
	})
}

func refused(t *testing.T, connection *gmgateway.Connection) {
	t.Helper()
	_, err := connection.GetNetwork(fakepeer.Channel).GetContract("register").EvaluateTransaction("get", "k")
	require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
}

func TestNoFallback(t *testing.T) {
	t.Run("gm client, TLS peer", func(t *testing.T) {
		n := newNetwork(t, gmgateway.ModeTLS, false)
		refused(t, connect(t, n.Profile(t, gmgateway.ModeGM, gmtlstest.SM2, false)))
	})
	t.Run("tls client, TLCP peer", func(t *testing.T) {
		n := newNetwork(t, gmgateway.ModeGM, false)
		refused(t, connect(t, n.Profile(t, gmgateway.ModeTLS, gmtlstest.SM2, false)))
	})
}

func TestRefusedConnections(t *testing.T) {
	for _, mode := range []gmgateway.Mode{gmgateway.ModeTLS, gmgateway.ModeGM} {
		n := newNetwork(t, mode, true)
		t.Run(string(mode)+" without client certificate", func(t *testing.T) {
			refused(t, connect(t, n.Profile(t, mode, gmtlstest.SM2, false)))
		})
		t.Run(string(mode)+" other root", func(t *testing.T) {
			stranger := fakenet.Strange(t, n.Address)
			refused(t, connect(t, stranger.Profile(t, mode, gmtlstest.SM2, true)))
		})
		t.Run(string(mode)+" other name", func(t *testing.T) {
			profile := n.Profile(t, mode, gmtlstest.SM2, true)
			peer0 := profile["peers"].(values)["peer0"].(values)
			peer0["grpcOptions"] = values{"ssl-target-name-override": "peer1.example.com"}
			refused(t, connect(t, profile))
			peer0["grpcOptions"] = values{"ssl-target-name-override": "localhost"}
			exercise(t, connect(t, profile))
		})
	}
}

// TestHalvesOfTwoPairs: a client pair that no peer takes is refused before a peer sees it.
func TestHalvesOfTwoPairs(t *testing.T) {
	n := fakenet.Strange(t, "127.0.0.1:1")
	profile, other := n.Profile(t, gmgateway.ModeGM, gmtlstest.SM2, true), n.Profile(t, gmgateway.ModeGM, gmtlstest.SM2, true)
	tls, others := profile["client"].(values)["tls"].(values), other["client"].(values)["tls"].(values)
	tls["encCert"], tls["encKey"] = others["encCert"], others["encKey"]
	_, err := gmgateway.Connect(fakenet.Write(t, profile))
	require.ErrorContains(t, err, "client.tls: peers would refuse the pair")
	require.ErrorContains(t, err, "differ in subject")
}

func TestPeerByName(t *testing.T) {
	n := newNetwork(t, gmgateway.ModeTLS, false)
	content := n.Profile(t, gmgateway.ModeTLS, gmtlstest.SM2, false)
	peers := content["peers"].(values)
	peers["peer1"] = peers["peer0"]
	peers["peer0"] = values{"url": "grpcs://127.0.0.1:1", "tlsCACerts": values{"pem": string(n.TLSCA.CertPEM)}}
	profile, err := gmgateway.LoadProfile(fakenet.Write(t, content))
	require.NoError(t, err)
	connection, err := profile.Connect("peer1")
	require.NoError(t, err)
	defer connection.Close()
	require.Equal(t, "peer1", connection.Peer)
	exercise(t, connection)
	_, err = profile.Connect("peer2")
	require.ErrorContains(t, err, "peer0, peer1")
}

func TestFilesRelativeToTheProfile(t *testing.T) {
	n := newNetwork(t, gmgateway.ModeTLS, false)
	profile := n.Profile(t, gmgateway.ModeTLS, gmtlstest.SM2, false)
	file := fakenet.Write(t, profile)
	identity := profile["client"].(values)["identity"].(values)
	for _, field := range []string{"cert", "key"} {
		content := identity[field].(values)["pem"].(string)
		require.NoError(t, os.MkdirAll(filepath.Join(filepath.Dir(file), "msp"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "msp", field+".pem"), []byte(content), 0o600))
		identity[field] = values{"path": "msp/" + field + ".pem"}
	}
	content, err := json.Marshal(profile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	connection, err := gmgateway.Connect(file)
	require.NoError(t, err)
	defer connection.Close()
	exercise(t, connection)
}

func TestInvalidProfiles(t *testing.T) {
	n := fakenet.Strange(t, "127.0.0.1:1")
	at := func(profile values, path string) (values, string) {
		parts := strings.Split(path, ".")
		for _, part := range parts[:len(parts)-1] {
			profile = profile[part].(values)
		}
		return profile, parts[len(parts)-1]
	}
	for name, tc := range map[string]struct {
		mode  gmgateway.Mode // gm when empty
		path  string
		value any // nil removes
		want  string
	}{
		"no mode":               {path: "client.tls.mode", want: "want tls or gm"},
		"unknown mode":          {path: "client.tls.mode", value: "dual", want: "want tls or gm"},
		"no tls":                {path: "client.tls", want: "want tls or gm"},
		"misspelt field":        {path: "client.tls.encCrt", value: values{"pem": "x"}, want: "encCrt"},
		"misspelt source":       {path: "client.identity.key", value: values{"file": "x"}, want: "file"},
		"no organization":       {path: "client.organization", want: "client.organization"},
		"unknown organization":  {path: "client.organization", value: "Org9", want: "Org9"},
		"no MSP id":             {path: "organizations.Org1.mspid", want: "mspid"},
		"no certificate":        {path: "client.identity.cert", want: "client.identity.cert"},
		"no key":                {path: "client.identity.key", want: "client.identity.key"},
		"key and offline":       {path: "client.identity.offline", value: true, want: "says offline"},
		"key and no pair":       {path: "client.tls.cert", want: "cert and key"},
		"half a pair":           {path: "client.tls.encKey", want: "a pair"},
		"pair in mode tls":      {mode: gmgateway.ModeTLS, path: "client.tls.encCert", value: values{"pem": "x"}, want: "belong to mode gm"},
		"suites in mode tls":    {mode: gmgateway.ModeTLS, path: "client.tls.cipherSuites", value: []string{"ECC_SM4_GCM_SM3"}, want: "belong to mode gm"},
		"unknown suite":         {path: "client.tls.cipherSuites", value: []string{"TLS_AES_128_GCM_SHA256"}, want: "ECC_SM4_GCM_SM3"},
		"unknown protocol":      {path: "client.tls.protocol", value: "TLS1.3", want: "want TLCP or TLS13"},
		"protocol in mode tls":  {mode: gmgateway.ModeTLS, path: "client.tls.protocol", value: "TLCP", want: "belong to mode gm"},
		"no peers":              {path: "organizations.Org1.peers", want: "organizations.Org1.peers"},
		"unknown peer":          {path: "organizations.Org1.peers", value: []string{"peer9"}, want: "peer9"},
		"no protection":         {path: "peers.peer0.url", value: "grpc://127.0.0.1:7051", want: "grpcs://"},
		"no port":               {path: "peers.peer0.url", value: "grpcs://localhost", want: "host:port"},
		"no URL":                {path: "peers.peer0.url", want: "grpcs://"},
		"no roots":              {path: "peers.peer0.tlsCACerts", want: "peers.peer0.tlsCACerts"},
		"roots are not there":   {path: "peers.peer0.tlsCACerts", value: values{"path": "no/such/file"}, want: "no/such/file"},
		"two sources":           {path: "peers.peer0.tlsCACerts", value: values{"path": "x", "pem": "y"}, want: "both path and pem"},
		"ECDSA roots":           {path: "peers.peer0.tlsCACerts", value: values{"pem": string(n.TLSCA.CertPEM)}, want: "SM2"},
		"SM2 roots in mode tls": {mode: gmgateway.ModeTLS, path: "peers.peer0.tlsCACerts", value: values{"pem": string(n.GMCA.CertPEM)}, want: "TLS can use"},
		"foreign identity key":  {path: "client.identity.key", value: values{"pem": string(n.GMCA.Issue(t, pkix.Name{}).KeyPEM)}, want: "do not belong together"},
		"foreign pair key":      {path: "client.tls.key", value: values{"pem": string(n.GMCA.Issue(t, pkix.Name{}).KeyPEM)}, want: "client.tls"},
		"not a mapping":         {path: "client", value: "x", want: "profile.json"},
	} {
		t.Run(name, func(t *testing.T) {
			mode := tc.mode
			if mode == "" {
				mode = gmgateway.ModeGM
			}
			profile := n.Profile(t, mode, gmtlstest.SM2, true)
			parent, field := at(profile, tc.path)
			delete(parent, field)
			if tc.value != nil {
				parent[field] = tc.value
			}
			_, err := gmgateway.Connect(fakenet.Write(t, profile))
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "gmgateway: ")
			require.NotContains(t, err.Error(), "PRIVATE KEY")
		})
	}
	t.Run("no file", func(t *testing.T) {
		_, err := gmgateway.Connect(filepath.Join(t.TempDir(), "absent.yaml"))
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	profile := n.Profile(t, gmgateway.ModeGM, gmtlstest.SM2, true)
	text, err := json.Marshal(profile)
	require.NoError(t, err)
	for name, more := range map[string]string{"another document": "\n---\nclient: {tls: {mode: tls}}\n", "what is none": " x"} {
		t.Run(name, func(t *testing.T) {
			_, err := gmgateway.Connect(gmtlstest.WriteFile(t, t.TempDir(), "profile.yaml", append(text, more...)))
			require.ErrorContains(t, err, "profile.yaml: something follows the first document")
		})
	}
	for _, use := range []string{"*tls", "{<<: *tls}"} {
		t.Run("anchor "+use, func(t *testing.T) {
			profile := n.Profile(t, gmgateway.ModeGM, gmtlstest.SM2, true)
			tls, err := json.Marshal(profile["client"].(values)["tls"])
			require.NoError(t, err)
			profile["client"].(values)["tls"] = "USE"
			text, err := json.Marshal(profile)
			require.NoError(t, err)
			text = []byte(`{"shared": &tls ` + string(tls) + ", " + strings.Replace(string(text[1:]), `"USE"`, use, 1))
			connection, err := gmgateway.Connect(gmtlstest.WriteFile(t, t.TempDir(), "profile.yaml", text))
			require.NoError(t, err)
			require.NoError(t, connection.Close())
		})
	}
	t.Run("too large", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "large.yaml")
		require.NoError(t, os.WriteFile(file, make([]byte, 1<<20+1), 0o600))
		_, err := gmgateway.Connect(file)
		require.ErrorContains(t, err, "more than the 1048576 bytes")
	})
}
