// SPDX-License-Identifier: Apache-2.0

package gmshim_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/hyperledger/fabric/pkg/gmshim"
	"github.com/hyperledger/fabric/pkg/gmshim/cid"
	"github.com/hyperledger/fabric/pkg/internal/roots"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

const packageID = "asset_1:0123456789abcdef"

// notary writes down who put what.
type notary struct{}

func (notary) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (notary) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	function, args := stub.GetFunctionAndParameters()
	switch {
	case function == "put" && len(args) == 2:
		id, err := cid.GetID(stub)
		if err != nil {
			return shim.Error(err.Error())
		}
		if err := stub.PutState(args[0], []byte(args[1]+" by "+id)); err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success(nil)
	case function == "get" && len(args) == 1:
		value, err := stub.GetState(args[0])
		if err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success(value)
	}
	return shim.Error("unknown function " + function)
}

// start serves until the test ends and returns the address.
func start(t *testing.T, server *gmshim.ChaincodeServer) string {
	t.Helper()
	server.CCID, server.CC = packageID, notary{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(10 * time.Second):
			t.Error("the server does not stop")
		}
	})
	return listener.Addr().String()
}

func dial(t *testing.T, address string, transport credentials.TransportCredentials) (*fakepeer.Peer, error) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return fakepeer.Connect(ctx, conn)
}

// material is all that the ends of the connections of these tests need.
type material struct {
	tlsCA, gmCA       *gmtlstest.CA
	tlsLeaf           *gmtlstest.Leaf
	gmPair            gmtlstest.Pair
	strangerTLS       *gmtlstest.Leaf
	strangerGM        gmtlstest.Pair
	creator, creator2 []byte
}

func newMaterial(t *testing.T) *material {
	t.Helper()
	m := &material{tlsCA: gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "tls root"), gmCA: gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "gm root")}
	m.tlsLeaf = m.tlsCA.Issue(t, pkix.Name{CommonName: "node"})
	m.gmPair = m.gmCA.NewPair(t, "localhost", "127.0.0.1")
	m.strangerTLS = gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "tls root").Issue(t, pkix.Name{CommonName: "node"})
	m.strangerGM = gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "gm root").NewPair(t, "localhost", "127.0.0.1")
	for family, creator := range map[gmtlstest.Family]*[]byte{gmtlstest.ECDSA: &m.creator, gmtlstest.SM2: &m.creator2} {
		user := gmtlstest.NewFamilyCA(t, family, "ca").Issue(t, pkix.Name{CommonName: "user"})
		b, err := proto.Marshal(&msp.SerializedIdentity{Mspid: "Org1MSP", IdBytes: user.CertPEM})
		require.NoError(t, err)
		*creator = b
	}
	return m
}

func (m *material) tlsServer(mutual bool) *gmshim.ChaincodeServer {
	s := &gmshim.ChaincodeServer{}
	s.TLSProps = shim.TLSProperties{Cert: m.tlsLeaf.CertPEM, Key: m.tlsLeaf.KeyPEM}
	if mutual {
		s.TLSProps.ClientCACerts = m.tlsCA.CertPEM
	}
	return s
}

func (m *material) gmServer(mutual bool) *gmshim.ChaincodeServer {
	s := &gmshim.ChaincodeServer{TLCP: &gmshim.TLCPProperties{
		SignCert: m.gmPair.SignCert, SignKey: m.gmPair.SignKey, EncCert: m.gmPair.EncCert, EncKey: m.gmPair.EncKey,
	}}
	s.TLSProps.Disabled = true
	if mutual {
		s.TLCP.ClientCACerts = m.gmCA.CertPEM
	}
	return s
}

func (m *material) tlsClient(t *testing.T, own *gmtlstest.Leaf) credentials.TransportCredentials {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	require.True(t, config.RootCAs.AppendCertsFromPEM(m.tlsCA.CertPEM))
	if own != nil {
		pair, err := tls.X509KeyPair(own.CertPEM, own.KeyPEM)
		require.NoError(t, err)
		// As a callback, so that the pair is sent even to a server that names other authorities.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return credentials.NewTLS(config)
}

func (m *material) gmClient(t *testing.T, own *gmtlstest.Pair, suites ...uint16) credentials.TransportCredentials {
	return m.gmClientOf(t, own, func(c *gmtls.Config) { c.CipherSuites = suites })
}

func (m *material) gmClientOf(t *testing.T, own *gmtlstest.Pair, change func(*gmtls.Config)) credentials.TransportCredentials {
	trusted, err := roots.SM2("CA", m.gmCA.CertPEM)
	require.NoError(t, err)
	config := &gmtls.Config{RootCAs: trusted.Pool}
	change(config)
	if own != nil {
		pair, err := gmtls.X509KeyPair(own.SignCert, own.SignKey, own.EncCert, own.EncKey)
		require.NoError(t, err)
		config.GetClientCertificate = func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) { return &pair, nil }
	}
	return gmcredentials.New(config)
}

func exercise(t *testing.T, p *fakepeer.Peer, creators ...[]byte) {
	t.Helper()
	require.Equal(t, packageID, p.ChaincodeID)
	for _, creator := range creators {
		put, err := p.Submit(fakepeer.Request{Creator: creator, Args: []string{"put", "k", "v"}})
		require.NoError(t, err)
		require.EqualValues(t, shim.OK, put.Response.GetStatus(), put.Response.GetMessage())
		get, err := p.Evaluate(fakepeer.Request{Creator: creator, Args: []string{"get", "k"}})
		require.NoError(t, err)
		require.Contains(t, string(get.Response.GetPayload()), "v by ")
	}
	bad, err := p.Evaluate(fakepeer.Request{Creator: creators[0], Args: []string{"nonsense"}})
	require.NoError(t, err)
	require.EqualValues(t, shim.ERROR, bad.Response.GetStatus())
}

func TestServeOverTLS(t *testing.T) {
	m := newMaterial(t)
	t.Run("server certificate", func(t *testing.T) {
		p, err := dial(t, start(t, m.tlsServer(false)), m.tlsClient(t, nil))
		require.NoError(t, err)
		exercise(t, p, m.creator, m.creator2)
	})
	t.Run("mutual", func(t *testing.T) {
		address := start(t, m.tlsServer(true))
		p, err := dial(t, address, m.tlsClient(t, m.tlsLeaf))
		require.NoError(t, err)
		exercise(t, p, m.creator, m.creator2)
		_, err = dial(t, address, m.tlsClient(t, nil))
		require.Error(t, err, "a client without certificate")
		_, err = dial(t, address, m.tlsClient(t, m.strangerTLS))
		require.Error(t, err, "a client of a foreign authority")
	})
	t.Run("other protocols are refused", func(t *testing.T) {
		address := start(t, m.tlsServer(false))
		_, err := dial(t, address, m.gmClient(t, nil))
		require.Error(t, err, "TLCP")
		_, err = dial(t, address, insecure.NewCredentials())
		require.Error(t, err, "no protection")
	})
}

func TestServeOverTLCP(t *testing.T) {
	m := newMaterial(t)
	for _, suite := range gmtls.CipherSuites() {
		t.Run(suite.Name, func(t *testing.T) {
			p, err := dial(t, start(t, m.gmServer(true)), m.gmClient(t, &m.gmPair, suite.ID))
			require.NoError(t, err)
			exercise(t, p, m.creator, m.creator2)
		})
	}
	t.Run("server certificate alone", func(t *testing.T) {
		p, err := dial(t, start(t, m.gmServer(false)), m.gmClient(t, nil))
		require.NoError(t, err)
		exercise(t, p, m.creator, m.creator2)
	})
	t.Run("clients without a valid pair are refused", func(t *testing.T) {
		address := start(t, m.gmServer(true))
		_, err := dial(t, address, m.gmClient(t, nil))
		require.Error(t, err, "a client without certificate")
		_, err = dial(t, address, m.gmClient(t, &m.strangerGM))
		require.Error(t, err, "a client of a foreign authority")
		p, err := dial(t, address, m.gmClient(t, &m.gmPair))
		require.NoError(t, err, "the server goes on after refusals")
		exercise(t, p, m.creator)
	})
	t.Run("other protocols are refused", func(t *testing.T) {
		address := start(t, m.gmServer(false))
		_, err := dial(t, address, m.tlsClient(t, nil))
		require.Error(t, err, "TLS")
		_, err = dial(t, address, insecure.NewCredentials())
		require.Error(t, err, "no protection")
	})
}

// TestServeOverTLS13: the same pair serves TLCP, TLS 1.3 with GM suites, or both, as the server was told.
func TestServeOverTLS13(t *testing.T) {
	m := newMaterial(t)
	client := func(own *gmtlstest.Pair, version uint16) credentials.TransportCredentials {
		return m.gmClientOf(t, own, func(c *gmtls.Config) { c.Versions = []uint16{version} })
	}
	for _, versions := range [][]uint16{{gmtls.VersionTLS13}, {gmtls.VersionTLCP, gmtls.VersionTLS13}, {gmtls.VersionTLCP}, nil} {
		server := m.gmServer(true)
		server.TLCP.Versions = versions
		address := start(t, server)
		if versions == nil {
			versions = []uint16{gmtls.VersionTLCP}
		}
		for _, version := range []uint16{gmtls.VersionTLCP, gmtls.VersionTLS13} {
			p, err := dial(t, address, client(&m.gmPair, version))
			if !slices.Contains(versions, version) {
				require.Error(t, err, "%x for a server of %x", version, versions)
				continue
			}
			require.NoError(t, err)
			exercise(t, p, m.creator, m.creator2)
			_, err = dial(t, address, client(nil, version))
			require.Error(t, err, "a client without certificate")
			_, err = dial(t, address, client(&m.strangerGM, version))
			require.Error(t, err, "a client of a foreign authority")
		}
	}
}

func TestServeWithoutProtection(t *testing.T) {
	m := newMaterial(t)
	log := &journal{}
	server := &gmshim.ChaincodeServer{Log: slog.New(slog.NewTextHandler(log, nil))}
	server.TLSProps.Disabled = true
	address := start(t, server)
	p, err := dial(t, address, insecure.NewCredentials())
	require.NoError(t, err)
	exercise(t, p, m.creator)
	require.Contains(t, log.String(), "level=WARN msg=\"gmshim: chaincode is served without TLS and TLCP")
	require.Contains(t, log.String(), "address="+address)
}

// TestStreamsAndFieldsAreBounded: the server tells its bounds, and keeps to them with one who does not.
func TestStreamsAndFieldsAreBounded(t *testing.T) {
	server := &gmshim.ChaincodeServer{}
	server.TLSProps.Disabled = true
	conn, err := net.Dial("tcp", start(t, server))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = conn.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings())
	call := func(stream uint32, fields int) {
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/protos.Chaincode/Connect"}, {":authority", "cc"}, {"content-type", "application/grpc"}} {
			require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
		}
		for range fields {
			require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("a", 1000)}))
		}
		require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}))
	}
	call(1, 32)
	call(3, 8)
	told, refused, taken := map[http2.SettingID]uint32{}, false, false
	for !refused || !taken {
		frame, err := framer.ReadFrame()
		require.NoError(t, err)
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			_ = frame.ForeachSetting(func(s http2.Setting) error { told[s.ID] = s.Val; return nil })
		case *http2.RSTStreamFrame:
			require.EqualValues(t, 1, frame.StreamID)
			refused = true
		case *http2.HeadersFrame:
			require.EqualValues(t, 3, frame.StreamID, "a call with too many fields")
			taken = true
		}
	}
	require.EqualValues(t, 16<<10, told[http2.SettingMaxHeaderListSize])
	require.EqualValues(t, 100, told[http2.SettingMaxConcurrentStreams])
}

func TestTwoPeersAtOnce(t *testing.T) {
	m := newMaterial(t)
	address := start(t, m.tlsServer(false))
	first, err := dial(t, address, m.tlsClient(t, nil))
	require.NoError(t, err)
	second, err := dial(t, address, m.tlsClient(t, nil))
	require.NoError(t, err)
	exercise(t, first, m.creator)
	exercise(t, second, m.creator2)
}

func TestInvalidServers(t *testing.T) {
	m := newMaterial(t)
	other := gmtlstest.NewCA(t).NewPair(t, "localhost")
	for name, tc := range map[string]struct {
		spoil func(*gmshim.ChaincodeServer)
		want  string
	}{
		"no id":                        {func(s *gmshim.ChaincodeServer) { s.CCID = "" }, "CORE_CHAINCODE_ID_NAME"},
		"no chaincode":                 {func(s *gmshim.ChaincodeServer) { s.CC = nil }, "no chaincode"},
		"two protocols":                {func(s *gmshim.ChaincodeServer) { s.TLSProps = m.tlsServer(false).TLSProps }, "one protocol"},
		"client roots beside TLCP":     {func(s *gmshim.ChaincodeServer) { s.TLSProps.ClientCACerts = m.gmCA.CertPEM }, "TLCP.ClientCACerts"},
		"client roots alone, disabled": {func(s *gmshim.ChaincodeServer) { s.TLCP, s.TLSProps.ClientCACerts = nil, m.tlsCA.CertPEM }, "disabled"},
		"TLS without material":         {func(s *gmshim.ChaincodeServer) { s.TLCP, s.TLSProps.Disabled = nil, false }, "CHAINCODE_TLS_CERT"},
		"disabled with material": {func(s *gmshim.ChaincodeServer) {
			s.TLCP, s.TLSProps = nil, m.tlsServer(false).TLSProps
			s.TLSProps.Disabled = true
		}, "disabled"},
		"no signing certificate":  {func(s *gmshim.ChaincodeServer) { s.TLCP.SignCert = nil }, "CHAINCODE_TLCP_SIGN_CERT"},
		"swapped keys":            {func(s *gmshim.ChaincodeServer) { s.TLCP.SignKey = s.TLCP.EncKey }, "signing"},
		"ECDSA signing pair":      {func(s *gmshim.ChaincodeServer) { s.TLCP.SignCert, s.TLCP.SignKey = m.tlsLeaf.CertPEM, m.tlsLeaf.KeyPEM }, "SM2"},
		"halves of two pairs":     {func(s *gmshim.ChaincodeServer) { s.TLCP.EncCert, s.TLCP.EncKey = other.EncCert, other.EncKey }, "differ in subject"},
		"ECDSA client roots":      {func(s *gmshim.ChaincodeServer) { s.TLCP.ClientCACerts = m.tlsCA.CertPEM }, "CHAINCODE_CLIENT_CA_CERT"},
		"client roots not in PEM": {func(s *gmshim.ChaincodeServer) { s.TLCP.ClientCACerts = []byte("x") }, "CHAINCODE_CLIENT_CA_CERT"},
	} {
		t.Run(name, func(t *testing.T) {
			server := m.gmServer(true)
			server.CCID, server.CC = packageID, notary{}
			tc.spoil(server)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // for a server that starts
			defer cancel()
			err = server.Serve(ctx, listener)
			require.ErrorContains(t, err, tc.want)
			_, err = listener.Accept()
			require.ErrorIs(t, err, net.ErrClosed)
		})
	}
	t.Run("address in use", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		server := m.tlsServer(false)
		server.CCID, server.CC, server.Address = packageID, notary{}, listener.Addr().String()
		require.ErrorContains(t, server.Start(), server.Address)
	})
	t.Run("no address", func(t *testing.T) {
		server := m.tlsServer(false)
		server.CCID, server.CC = packageID, notary{}
		require.ErrorContains(t, server.Start(), "CHAINCODE_SERVER_ADDRESS")
	})
}
