// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/localconfig"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// tlcpNode is an orderer's configuration and the authorities that made its certificates.
type tlcpNode struct {
	dir   string
	stdCA tlsgen.CA
	gmCA  *gmtlstest.CA
	conf  *localconfig.TopLevel
}

// newTLCPNode gives the general section both pairs and both root lists.
func newTLCPNode(t *testing.T, mode comm.ServerMode, client comm.ClientMode) *tlcpNode {
	stdCA, err := tlsgen.NewCA()
	require.NoError(t, err)
	n := &tlcpNode{dir: t.TempDir(), stdCA: stdCA, gmCA: gmtlstest.NewCA(t), conf: &localconfig.TopLevel{}}
	g := &n.conf.General
	g.ListenAddress = "127.0.0.1"
	g.TLS = localconfig.TLS{Enabled: true, Mode: string(mode), ClientMode: string(client)}
	g.TLS.Certificate, g.TLS.PrivateKey = n.stdPair(t, "general")
	gm := n.gmCA.NewPair(t, "127.0.0.1").Write(t, n.dir, "general")
	g.TLS.GMSignCertificate, g.TLS.GMSignPrivateKey = gm.SignCert, gm.SignKey
	g.TLS.GMEncCertificate, g.TLS.GMEncPrivateKey = gm.EncCert, gm.EncKey
	g.TLS.GMKeyPasswordFile = gm.Encrypt(t, n.dir)
	g.Cluster.RootCAs = []string{
		gmtlstest.WriteFile(t, n.dir, "std-ca.crt", stdCA.CertBytes()),
		gmtlstest.WriteFile(t, n.dir, "gm-ca.crt", n.gmCA.CertPEM),
	}
	g.TLS.ClientRootCAs = g.Cluster.RootCAs
	g.Cluster.DialTimeout = 10 * time.Second
	return n
}

func (n *tlcpNode) stdPair(t *testing.T, name string) (cert, key string) {
	pair, err := n.stdCA.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	return gmtlstest.WriteFile(t, n.dir, name+".crt", pair.Cert), gmtlstest.WriteFile(t, n.dir, name+".key", pair.Key)
}

// dropStandard leaves the SM2 pairs alone.
func (n *tlcpNode) dropStandard() {
	n.conf.General.TLS.Certificate, n.conf.General.TLS.PrivateKey = "", ""
}

// clientOptions are those of a client with certificates of both families.
func (n *tlcpNode) clientOptions(t *testing.T, mode comm.ClientMode) comm.SecureOptions {
	pair, err := n.stdCA.NewClientCertKeyPair()
	require.NoError(t, err)
	opts := comm.SecureOptions{
		UseTLS: true, RequireClientCert: true, ClientMode: mode,
		ServerRootCAs: [][]byte{n.stdCA.CertBytes(), n.gmCA.CertPEM},
	}
	opts.Certificate, opts.Key = n.gmCA.NewPair(t).Bundle(pair.Cert, pair.Key)
	return opts
}

// call asks for a service that the server does not have: that it says so means that it has accepted the client.
func call(t *testing.T, address string, opts comm.SecureOptions) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := comm.ClientConfig{SecOpts: opts, DialTimeout: 30 * time.Second, AsyncConnect: true}.Dial(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	if status.Code(err) == codes.Unimplemented {
		return nil
	}
	return err
}

func start(t *testing.T, srv *comm.GRPCServer) string {
	go srv.Start()
	t.Cleanup(srv.Stop)
	return srv.Address()
}

func TestGeneralListenerInEachMode(t *testing.T) {
	for _, mode := range []comm.ServerMode{"", comm.ModeTLS, comm.ModeDual, comm.ModeGM} {
		for _, mutual := range []bool{false, true} {
			n := newTLCPNode(t, mode, "")
			n.conf.General.TLS.ClientAuthRequired = mutual
			if mode == comm.ModeGM {
				n.dropStandard()
			}
			config := initializeServerConfig(n.conf, &disabled.Provider{})
			require.Equal(t, mutual, config.SecOpts.RequireClientCert)
			address := start(t, initializeGrpcServer(n.conf, config))

			for _, client := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
				name := fmt.Sprintf("server %q, mutual %v, client %q", mode, mutual, client)
				err := call(t, address, n.clientOptions(t, client))
				if mode == comm.ModeDual || (client == comm.ClientGM) == (mode == comm.ModeGM) {
					require.NoError(t, err, name)
				} else {
					require.ErrorContains(t, err, "no common protocol", name)
				}
				if mutual {
					stranger := newTLCPNode(t, "", "").clientOptions(t, client)
					stranger.ServerRootCAs = [][]byte{n.stdCA.CertBytes(), n.gmCA.CertPEM}
					require.Error(t, call(t, address, stranger), name)
				}
			}
		}
	}
}

// Expiration tracking sees all certificates of listener and dialer, standard, SM2 signing and SM2 encryption, at the start and
// after a reload.
func TestExpirationOfTheWholeBundleIsTracked(t *testing.T) {
	n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
	server := initializeServerConfig(n.conf, &disabled.Provider{})
	client, _ := initializeClusterClientConfig(n.conf)
	identity := protoutil.MarshalOrPanic(&msp.SerializedIdentity{Mspid: "Org", IdBytes: []byte("none")})
	var told []string
	tell := func(format string, args ...interface{}) {
		text := fmt.Sprintf(format, args...)
		if strings.HasSuffix(text, "(orderer.general)") || strings.HasSuffix(text, "(orderer.cluster.client)") {
			text, _, _ = strings.Cut(text, " on ") // the day
			told = append(told, text)
		}
	}
	comm.TrackExpiration(server.SecOpts.UseTLS, server.SecOpts.Certificate, [][]byte{client.SecOpts.Certificate}, identity,
		tell, func(string, ...interface{}) {}, time.Now(), time.AfterFunc)
	want := []string{
		"The server TLS certificate will expire", "The server TLS SM2 certificate will expire", "The server TLS SM2 encryption certificate will expire",
		"The client TLS certificate will expire", "The client TLS SM2 certificate will expire", "The client TLS SM2 encryption certificate will expire",
	}
	require.ElementsMatch(t, want, told)
	told = nil
	require.NoError(t, comm.Reload(tlsstatus.OrdererGeneral))
	require.ElementsMatch(t, want[:3], told)
}

// withClusterListener adds the cluster's own listener.
func (n *tlcpNode) withClusterListener(t *testing.T, mode comm.ServerMode, std, gm bool) {
	c := &n.conf.General.Cluster
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	c.ListenAddress, c.ListenPort, c.Mode = "127.0.0.1", uint16(number), string(mode)
	if std {
		c.ServerCertificate, c.ServerPrivateKey = n.stdPair(t, "cluster")
	}
	if gm {
		pair := n.gmCA.NewPair(t, "127.0.0.1").Write(t, n.dir, "cluster")
		pair.Encrypt(t, n.dir)
		c.GMServerSignCertificate, c.GMServerSignPrivateKey = pair.SignCert, pair.SignKey
		c.GMServerEncCertificate, c.GMServerEncPrivateKey = pair.EncCert, pair.EncKey
	}
}

func TestOwnClusterListenerInEachMode(t *testing.T) {
	for _, tc := range []struct {
		mode    comm.ServerMode
		std, gm bool
	}{{"", true, false}, {comm.ModeTLS, true, true}, {comm.ModeDual, true, true}, {comm.ModeGM, true, true}, {comm.ModeGM, false, true}} {
		n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
		n.withClusterListener(t, tc.mode, tc.std, tc.gm)
		require.False(t, reuseListener(n.conf))
		general := initializeServerConfig(n.conf, &disabled.Provider{})
		config, srv := configureClusterListener(n.conf, general, os.ReadFile)
		require.NotNil(t, config.SecOpts.Source)
		require.True(t, config.SecOpts.RequireClientCert)
		require.Equal(t, general.SecOpts.Certificate, initializeServerConfig(n.conf, &disabled.Provider{}).SecOpts.Certificate)
		require.NotEqual(t, general.SecOpts.Certificate, config.SecOpts.Certificate)
		address := start(t, srv)
		for _, client := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
			name := fmt.Sprintf("%+v, client %q", tc, client)
			err := call(t, address, n.clientOptions(t, client))
			if tc.mode == comm.ModeDual || (client == comm.ClientGM) == (tc.mode == comm.ModeGM) {
				require.NoError(t, err, name)
			} else {
				require.ErrorContains(t, err, "no common protocol", name)
			}
			anonymous := n.clientOptions(t, client)
			anonymous.Certificate, anonymous.Key, anonymous.RequireClientCert = nil, nil, false
			require.Error(t, call(t, address, anonymous), name)
		}
	}
}

// The dialers' certificates: the cluster's own client pairs, else those of the general section, in either family.
func TestClusterClientMaterial(t *testing.T) {
	readFile := func(path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	for name, change := range map[string]func(*tlcpNode) (want []string){
		"general pairs": func(n *tlcpNode) []string {
			g := n.conf.General.TLS
			return []string{g.Certificate, g.GMSignCertificate, g.GMEncCertificate}
		},
		"general pairs, SM2 only": func(n *tlcpNode) []string {
			n.conf.General.TLS.Mode = string(comm.ModeGM)
			n.dropStandard()
			g := n.conf.General.TLS
			return []string{g.GMSignCertificate, g.GMEncCertificate}
		},
		"own SM2 client pair": func(n *tlcpNode) []string {
			pair := n.gmCA.NewPair(t).Write(t, n.dir, "client")
			pair.Encrypt(t, n.dir)
			c := &n.conf.General.Cluster
			c.GMClientSignCertificate, c.GMClientSignPrivateKey = pair.SignCert, pair.SignKey
			c.GMClientEncCertificate, c.GMClientEncPrivateKey = pair.EncCert, pair.EncKey
			return []string{n.conf.General.TLS.Certificate, pair.SignCert, pair.EncCert}
		},
		"own standard client pair": func(n *tlcpNode) []string {
			c, g := &n.conf.General.Cluster, n.conf.General.TLS
			c.ClientCertificate, c.ClientPrivateKey = n.stdPair(t, "client")
			return []string{c.ClientCertificate, g.GMSignCertificate, g.GMEncCertificate}
		},
		"own listener, general SM2 pair": func(n *tlcpNode) []string {
			n.withClusterListener(t, comm.ModeGM, false, true)
			g := n.conf.General.TLS
			return []string{g.GMSignCertificate, g.GMEncCertificate}
		},
	} {
		n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
		var want string
		for _, file := range change(n) {
			want += readFile(file)
		}
		config, _ := initializeClusterClientConfig(n.conf)
		require.Equal(t, want, string(config.SecOpts.Certificate), name)
		_, mode := config.SecOpts.Source.Modes()
		require.Equal(t, comm.ClientGM, mode, name)

		// ... and they reach an orderer in mode gm.
		target := newTLCPNode(t, comm.ModeGM, comm.ClientGM)
		target.gmCA, target.stdCA = n.gmCA, n.stdCA
		pair := n.gmCA.NewPair(t, "127.0.0.1").Write(t, target.dir, "general")
		target.conf.General.TLS.GMSignCertificate = pair.SignCert
		target.conf.General.TLS.ClientAuthRequired = true
		target.conf.General.TLS.ClientRootCAs = n.conf.General.Cluster.RootCAs
		address := start(t, initializeGrpcServer(target.conf, initializeServerConfig(target.conf, nil)))
		require.NoError(t, call(t, address, config.SecOpts), name)
	}
}

func TestStockConfigurationDialsTLS(t *testing.T) {
	n := newTLCPNode(t, "", "")
	g := &n.conf.General.TLS
	g.GMSignCertificate, g.GMSignPrivateKey, g.GMEncCertificate, g.GMEncPrivateKey = "", "", "", ""
	config, reuse := initializeClusterClientConfig(n.conf)
	require.True(t, reuse)
	stock, err := os.ReadFile(g.Certificate)
	require.NoError(t, err)
	require.Equal(t, stock, config.SecOpts.Certificate)
	_, mode := config.SecOpts.Source.Modes()
	require.Equal(t, comm.ClientTLS, mode)
}

// A reload takes in new certificates and new roots, drops removed roots, and changes nothing when a file is bad.
func TestReloadWhileServing(t *testing.T) {
	n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
	n.conf.General.TLS.ClientAuthRequired = true
	config := initializeServerConfig(n.conf, &disabled.Provider{})
	address := start(t, initializeGrpcServer(n.conf, config))
	old := map[comm.ClientMode]comm.SecureOptions{}
	for _, mode := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
		old[mode] = n.clientOptions(t, mode)
		require.NoError(t, call(t, address, old[mode]))
	}

	// The files of another network, in the same places.
	next := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
	for _, file := range []string{
		"general.crt", "general.key", "general-sign.crt", "general-sign.key", "general-enc.crt",
		"general-enc.key", "std-ca.crt", "gm-ca.crt",
	} {
		text, err := os.ReadFile(filepath.Join(next.dir, file))
		require.NoError(t, err)
		gmtlstest.WriteFile(t, n.dir, file, text)
	}
	gmtlstest.WriteFile(t, n.dir, "general-enc.key", []byte("half written"))
	require.ErrorContains(t, comm.Reload(tlsstatus.OrdererGeneral), "key")
	for mode, opts := range old {
		require.NoError(t, call(t, address, opts), mode)
	}

	text, err := os.ReadFile(filepath.Join(next.dir, "general-enc.key"))
	require.NoError(t, err)
	gmtlstest.WriteFile(t, n.dir, "general-enc.key", text)
	require.NoError(t, comm.Reload(tlsstatus.OrdererGeneral))
	for mode, opts := range old {
		require.NoError(t, call(t, address, next.clientOptions(t, mode)), mode)
		require.Error(t, call(t, address, opts), mode)
		opts.ServerRootCAs = [][]byte{next.stdCA.CertBytes(), next.gmCA.CertPEM}
		require.Error(t, call(t, address, opts), "%s: a removed root is no longer trusted", mode)
	}
}

// SIGHUP reloads what files have become.
func TestHangupReloads(t *testing.T) {
	n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
	system := newOperationsSystem(localconfig.Operations{ListenAddress: "127.0.0.1:0"}, localconfig.Metrics{Provider: "disabled"})
	require.NoError(t, system.Start())
	t.Cleanup(func() { system.Stop() })
	initializeServerConfig(n.conf, &disabled.Provider{})
	before := comm.LookupSource(tlsstatus.OrdererGeneral).Material().PEM()
	for _, role := range []string{tlsstatus.OrdererClusterClient, tlsstatus.OrdererClusterServer, tlsstatus.OrdererOperations, tlsstatus.OrdererAdmin} {
		requireRole(t, role, n) // sources of earlier tests have lost their files
	}
	n.stdPair(t, "general")
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.Eventually(t, func() bool {
		return string(before) != string(comm.LookupSource(tlsstatus.OrdererGeneral).Material().PEM())
	}, 20*time.Second, 5*time.Millisecond)
}

// requireRole replaces the role's source by one whose files exist.
func requireRole(t *testing.T, role string, n *tlcpNode) {
	_, err := comm.NewSource(comm.SourceConfig{Role: role, Load: generalFiles(n.conf).Load, ServerMode: comm.ModeDual})
	require.NoError(t, err)
}

// The endpoint that switches modes is for clients with a verified certificate, over TLS and TLCP; without TLS for nobody.
func TestOperationsEndpointForTLS(t *testing.T) {
	n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
	opsTLS := n.conf.General.TLS
	opsTLS.ClientMode = ""
	open := newOperationsSystem(localconfig.Operations{ListenAddress: "127.0.0.1:0"}, localconfig.Metrics{Provider: "disabled"})
	require.NoError(t, open.Start())
	t.Cleanup(func() { open.Stop() })
	resp, err := http.Get("http://" + open.Addr() + "/tls")
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)

	system := newOperationsSystem(localconfig.Operations{ListenAddress: "127.0.0.1:0", TLS: opsTLS}, localconfig.Metrics{Provider: "disabled"})
	require.NoError(t, system.Start())
	t.Cleanup(func() { system.Stop() })
	for _, mode := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
		opts := n.clientOptions(t, mode)
		status, body := fetch(t, opts, "https://"+system.Addr()+"/tls")
		require.Equal(t, http.StatusOK, status)
		var roles []struct{ Role string }
		require.NoError(t, json.Unmarshal(body, &roles))
		require.Contains(t, roles, struct{ Role string }{tlsstatus.OrdererOperations})

		opts.Certificate, opts.Key, opts.RequireClientCert = nil, nil, false
		status, _ = fetch(t, opts, "https://"+system.Addr()+"/tls")
		require.Equal(t, http.StatusUnauthorized, status)
		status, _ = fetch(t, opts, "https://"+system.Addr()+"/version")
		require.Equal(t, http.StatusOK, status)
	}

	adminTLS := opsTLS
	adminTLS.Mode, adminTLS.ClientAuthRequired = string(comm.ModeGM), true
	admin := newAdminServer(localconfig.Admin{ListenAddress: "127.0.0.1:0", TLS: adminTLS})
	admin.RegisterHandler("/participation", http.NotFoundHandler(), true)
	require.NoError(t, admin.Start())
	t.Cleanup(func() { admin.Stop() })
	status, _ := fetch(t, n.clientOptions(t, comm.ClientGM), "https://"+admin.Addr()+"/participation")
	require.Equal(t, http.StatusNotFound, status)
	_, err = tls.Dial("tcp", admin.Addr(), &tls.Config{InsecureSkipVerify: true})
	require.ErrorContains(t, err, "protocol version")
}

// Operations.Operators names who may make changes, over either protocol.
func TestOperatorsOfTheOperationsServer(t *testing.T) {
	n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
	for _, mode := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
		operator, monitor := n.clientOptions(t, mode), n.clientOptions(t, mode)
		fingerprint := hex.EncodeToString(operator.BindingHash())
		system := newOperationsSystem(localconfig.Operations{
			ListenAddress: "127.0.0.1:0", TLS: n.conf.General.TLS, Operators: []string{fingerprint},
		}, localconfig.Metrics{Provider: "disabled"})
		require.NoError(t, system.Start())
		t.Cleanup(func() { system.Stop() })
		url, body := "https://"+system.Addr()+"/tls", `{"role":"orderer.operations"}`
		status, _ := fetch(t, monitor, url)
		require.Equal(t, http.StatusOK, status)
		status, answer := send(t, monitor, http.MethodPost, url, body)
		require.Equal(t, http.StatusForbidden, status)
		require.Contains(t, string(answer), hex.EncodeToString(monitor.BindingHash()))
		status, answer = send(t, operator, http.MethodPost, url, body)
		require.Equal(t, http.StatusOK, status, "%s", answer)
	}
	require.Panics(t, func() {
		newOperationsSystem(localconfig.Operations{ListenAddress: "127.0.0.1:0", Operators: []string{"CN=ops"}}, localconfig.Metrics{})
	})
}

func fetch(t *testing.T, opts comm.SecureOptions, url string) (int, []byte) {
	t.Helper()
	return send(t, opts, http.MethodGet, url, "")
}

func send(t *testing.T, opts comm.SecureOptions, method, url, body string) (int, []byte) {
	t.Helper()
	transport, err := opts.HTTPTransport()
	require.NoError(t, err)
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, answer
}

// Files that are missing or do not fit end the start with a message that names them.
func TestBadSM2FilesEndTheStart(t *testing.T) {
	oldLogger := logger
	defer func() { logger = oldLogger }()
	logger, _ = floggingtest.NewTestLogger(t)
	for name, tc := range map[string]struct {
		change func(*localconfig.TLS)
		want   string
	}{
		"missing":       {func(c *localconfig.TLS) { c.GMEncCertificate = "absent.crt" }, "absent.crt"},
		"unknown suite": {func(c *localconfig.TLS) { c.GMCipherSuites = []string{"RC4"} }, "RC4"},
		"unknown suite, no pair": {func(c *localconfig.TLS) {
			*c = localconfig.TLS{Enabled: true, Certificate: c.Certificate, PrivateKey: c.PrivateKey, GMCipherSuites: []string{"RC4"}}
		}, "RC4"},
		"foreign key": {func(c *localconfig.TLS) { c.GMSignPrivateKey = c.GMEncPrivateKey }, "orderer.general"},
		// crypto/tls skips the block, but without live material nothing would look at revocation lists, or bound handshakes.
		"revocation, and more than certificates": {func(c *localconfig.TLS) {
			*c = localconfig.TLS{Enabled: true, Certificate: withParameters(t, c.Certificate), PrivateKey: c.PrivateKey, CheckRevocation: true}
		}, "DH PARAMETERS"},
		"a bound, and more than certificates": {func(c *localconfig.TLS) {
			*c = localconfig.TLS{Enabled: true, Certificate: withParameters(t, c.Certificate), PrivateKey: c.PrivateKey, HandshakesPerAddress: 8}
		}, "DH PARAMETERS"},
	} {
		n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
		tc.change(&n.conf.General.TLS)
		message := panicMsg(func() { initializeServerConfig(n.conf, nil) })
		require.Contains(t, message, tc.want, name)
	}
	n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
	stock := &n.conf.General.TLS
	*stock = localconfig.TLS{Enabled: true, Certificate: withParameters(t, stock.Certificate), PrivateKey: stock.PrivateKey}
	require.NotPanics(t, func() { initializeServerConfig(n.conf, nil) }, "as in stock Fabric")
}

// withParameters copies a file of certificates, and adds a block that is none.
func withParameters(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "server.crt")
	require.NoError(t, os.WriteFile(copied, append(text, "-----BEGIN DH PARAMETERS-----\nMAYCAQcCAQI=\n-----END DH PARAMETERS-----\n"...), 0o600))
	return copied
}

// A channel's TLS CAs come from its MSPs in one list: SM2-only roots, which crypto/x509 cannot read, neither keep the standard
// ones out nor stay out themselves, whatever the order.
func TestChannelRootsOfBothFamilies(t *testing.T) {
	n := newTLCPNode(t, comm.ModeDual, comm.ClientGM)
	n.conf.General.TLS.ClientAuthRequired = true
	n.conf.General.TLS.ClientRootCAs = nil
	for _, order := range []string{"SM2 first", "standard first"} {
		srv := initializeGrpcServer(n.conf, initializeServerConfig(n.conf, &disabled.Provider{}))
		address := start(t, srv)
		channel := newTLCPNode(t, "", "")
		roots := [][]byte{channel.gmCA.CertPEM, channel.stdCA.CertBytes()}
		if order == "standard first" {
			roots[0], roots[1] = roots[1], roots[0]
		}
		for _, mode := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
			opts := channel.clientOptions(t, mode)
			opts.ServerRootCAs = [][]byte{n.stdCA.CertBytes(), n.gmCA.CertPEM}
			require.Error(t, call(t, address, opts), "%s, %s: before the channel", order, mode)
			require.NoError(t, srv.SetClientRootCAs(roots))
			require.NoError(t, call(t, address, opts), "%s, %s", order, mode)
			require.NoError(t, srv.SetClientRootCAs(nil))
		}
	}
}

// The suites of the configuration are the only ones, for clients of the general listener and between orderers.
func TestConfiguredSuites(t *testing.T) {
	n := newTLCPNode(t, comm.ModeGM, comm.ClientGM)
	n.conf.General.TLS.GMCipherSuites = []string{"ECC_SM4_CBC_SM3"}
	address := start(t, initializeGrpcServer(n.conf, initializeServerConfig(n.conf, nil)))
	reach := func(suites ...string) error {
		n.conf.General.Cluster.GMCipherSuites = suites
		config, _ := initializeClusterClientConfig(n.conf)
		return call(t, address, config.SecOpts)
	}
	require.NoError(t, reach()) // those of General.TLS
	require.NoError(t, reach("ECC_SM4_GCM_SM3", "ECC_SM4_CBC_SM3"))
	require.Error(t, reach("ECC_SM4_GCM_SM3"))
}

// TestRevokedClients: each listener of an orderer that has a key for it refuses a client whose certificate a list of its files names.
func TestRevokedClients(t *testing.T) {
	n := newTLCPNode(t, comm.ModeGM, comm.ClientGM)
	n.conf.General.TLS.ClientAuthRequired = true
	thief, honest := n.clientOptions(t, comm.ClientGM), n.clientOptions(t, comm.ClientGM)
	block, _ := pem.Decode(n.gmPart(t, thief.Certificate))
	stolen, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	list := gmtlstest.WriteFile(t, n.dir, "list.crl", n.gmCA.RevocationList(t, x509.RevocationList{}, stolen.SerialNumber))
	for _, check := range []bool{false, true} {
		n.conf.General.TLS.CheckRevocation = check
		if check {
			n.conf.General.TLS.RevocationLists = []string{list}
		}
		address := start(t, initializeGrpcServer(n.conf, initializeServerConfig(n.conf, &disabled.Provider{})))
		require.Equal(t, check, call(t, address, thief) != nil)
		require.NoError(t, call(t, address, honest))

		tls := n.conf.General.TLS
		tls.Mode, tls.RootCAs = string(comm.ModeGM), nil
		servers := map[string]interface {
			Start() error
			Stop() error
			Addr() string
		}{
			"operations": newOperationsSystem(localconfig.Operations{ListenAddress: "127.0.0.1:0", TLS: tls}, localconfig.Metrics{}),
			"admin":      newAdminServer(localconfig.Admin{ListenAddress: "127.0.0.1:0", TLS: tls}),
		}
		for name, server := range servers {
			require.NoError(t, server.Start(), name)
			get := func(opts comm.SecureOptions) error {
				transport, err := opts.HTTPTransport()
				require.NoError(t, err)
				answer, err := (&http.Client{Transport: transport}).Get("https://" + server.Addr() + "/healthz")
				if err == nil {
					answer.Body.Close()
				}
				return err
			}
			require.Equal(t, check, get(thief) != nil, name)
			require.NoError(t, get(honest), name)
			require.NoError(t, server.Stop(), name)
		}
	}
}

// TestRevokedOrderers: the files of General.TLS.RevocationLists count between orderers, at the cluster's own listener and for what
// dials, also where the CA is a root of the cluster alone; a reload ends a connection that stands.
func TestRevokedOrderers(t *testing.T) {
	n := newTLCPNode(t, comm.ModeGM, comm.ClientGM)
	n.withClusterListener(t, comm.ModeGM, false, true)
	n.conf.General.TLS.ClientAuthRequired, n.conf.General.TLS.ClientRootCAs = true, []string{
		gmtlstest.WriteFile(t, n.dir, "clients.crt", gmtlstest.NewCA(t).CertPEM),
	}
	serial := func(bundle []byte) *big.Int {
		certs, err := material.ParseCertificates("bundle", n.gmPart(t, bundle))
		require.NoError(t, err)
		return certs[0].SerialNumber
	}
	list := filepath.Join(n.dir, "list.crl")
	revoke := func(serials ...*big.Int) {
		require.NoError(t, os.WriteFile(list, n.gmCA.RevocationList(t, x509.RevocationList{}, serials...), 0o600))
	}
	revoke()
	n.conf.General.TLS.CheckRevocation, n.conf.General.TLS.RevocationLists = true, []string{list}
	n.conf.General.TLS.DrainGrace = 50 * time.Millisecond

	_, srv := configureClusterListener(n.conf, initializeServerConfig(n.conf, &disabled.Provider{}), os.ReadFile)
	listener := start(t, srv)
	dialer, _ := initializeClusterClientConfig(n.conf)
	thief, honest := n.clientOptions(t, comm.ClientGM), n.clientOptions(t, comm.ClientGM)
	// The other end of the dialer is a listener that checks nothing.
	pair := n.gmCA.NewPair(t, "127.0.0.1")
	certificate, key := pair.Bundle(nil, nil)
	other, err := comm.NewGRPCServer("127.0.0.1:0", comm.ServerConfig{
		SecOpts: comm.SecureOptions{UseTLS: true, ServerMode: comm.ModeGM, Certificate: certificate, Key: key},
	})
	require.NoError(t, err)
	partner := start(t, other)
	for _, reach := range []error{call(t, listener, thief), call(t, listener, honest), call(t, partner, dialer.SecOpts)} {
		require.NoError(t, reach)
	}
	standing, err := comm.ClientConfig{SecOpts: thief, DialTimeout: 30 * time.Second}.Dial(listener)
	require.NoError(t, err)
	defer standing.Close()

	revoke(serial(thief.Certificate), serial(certificate))
	require.NoError(t, comm.Reload(tlsstatus.OrdererClusterServer))
	require.NoError(t, comm.Reload(tlsstatus.OrdererClusterClient))
	require.Error(t, call(t, listener, thief))
	require.NoError(t, call(t, listener, honest))
	require.ErrorContains(t, call(t, partner, dialer.SecOpts), "it has been revoked")
	require.Eventually(t, func() bool { return standing.GetState() != connectivity.Ready }, 30*time.Second, 10*time.Millisecond)
}

// gmPart returns the SM2 certificates of a bundle.
func (n *tlcpNode) gmPart(t *testing.T, bundle []byte) []byte {
	t.Helper()
	certs, err := material.ParseCertificates("bundle", bundle)
	require.NoError(t, err)
	var part []byte
	for _, cert := range certs {
		if cert.Family() == material.SM2 {
			part = append(part, cert.PEM()...)
		}
	}
	return part
}

// TestHybridOfHTTPServers: the operations and the admin server have the key in their sections.
func TestHybridOfHTTPServers(t *testing.T) {
	for _, hybrid := range []bool{true, false} {
		options := httpOptions(tlsstatus.OrdererAdmin, "Admin.TLS", "127.0.0.1:0", localconfig.TLS{GMHybridKeyExchange: hybrid})
		require.Equal(t, hybrid, options.TLS.GMHybrid)
	}
}
