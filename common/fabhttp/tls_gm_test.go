// SPDX-License-Identifier: Apache-2.0

package fabhttp_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/fabhttp"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/stretchr/testify/require"
)

// pki is the material of one server and of its clients, in both families.
type pki struct {
	dir    string
	stdCA  tlsgen.CA
	gmCA   *gmtlstest.CA
	server fabhttp.TLS
	roots  [][]byte
}

func newPKI(t *testing.T) *pki {
	stdCA, err := tlsgen.NewCA()
	require.NoError(t, err)
	p := &pki{dir: t.TempDir(), stdCA: stdCA, gmCA: gmtlstest.NewCA(t)}
	p.roots = [][]byte{stdCA.CertBytes(), p.gmCA.CertPEM}
	gm := p.gmCA.NewPair(t, "127.0.0.1").Write(t, p.dir, "server")
	p.server = fabhttp.TLS{
		Enabled:        true,
		GMSignCertFile: gm.SignCert, GMSignKeyFile: gm.SignKey, GMEncCertFile: gm.EncCert, GMEncKeyFile: gm.EncKey,
		ClientCACertFiles: []string{
			gmtlstest.WriteFile(t, p.dir, "std-ca.pem", stdCA.CertBytes()),
			gmtlstest.WriteFile(t, p.dir, "gm-ca.pem", p.gmCA.CertPEM),
		},
	}
	p.server.GMKeyPasswordFile = gm.Encrypt(t, p.dir)
	p.renewStandard(t)
	return p
}

// renewStandard issues another standard server certificate to the same files.
func (p *pki) renewStandard(t *testing.T) *x509.Certificate {
	pair, err := p.stdCA.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	p.server.CertFile = gmtlstest.WriteFile(t, p.dir, "server.crt", pair.Cert)
	p.server.KeyFile = gmtlstest.WriteFile(t, p.dir, "server.key", pair.Key)
	return pair.TLSCert
}

// client makes an HTTP client of the mode; its certificates are those of the given CAs, or none.
func (p *pki) client(t *testing.T, mode comm.ClientMode, with bool, std tlsgen.CA, gm *gmtlstest.CA) *http.Client {
	opts := comm.SecureOptions{UseTLS: true, ServerRootCAs: p.roots, ClientMode: mode, RequireClientCert: with}
	if with {
		pair, err := std.NewClientCertKeyPair()
		require.NoError(t, err)
		opts.Certificate, opts.Key = gm.NewPair(t).Bundle(pair.Cert, pair.Key)
	}
	transport, err := opts.HTTPTransport()
	require.NoError(t, err)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func serve(t *testing.T, config fabhttp.TLS) *fabhttp.Server {
	server := fabhttp.NewServer(fabhttp.Options{ListenAddress: "127.0.0.1:0", TLS: config})
	server.RegisterHandler("/secure", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%#x", r.TLS.Version)
	}), true)
	server.RegisterHandler("/open", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}), false)
	require.NoError(t, server.Start())
	t.Cleanup(func() { server.Stop() })
	return server
}

func get(client *http.Client, server *fabhttp.Server, path string) (int, string, error) {
	resp, err := client.Get("https://" + server.Addr() + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// Which client reaches which server, and that handlers see a verified client certificate under TLCP as under TLS.
func TestModes(t *testing.T) {
	p, stranger := newPKI(t), newPKI(t)
	for _, mode := range []comm.ServerMode{"", comm.ModeTLS, comm.ModeDual, comm.ModeGM} {
		for _, required := range []bool{false, true} {
			config := p.server
			config.Mode, config.ClientCertRequired = string(mode), required
			server := serve(t, config)
			for _, client := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM} {
				name := fmt.Sprintf("server %q, client certificate required: %v, client %q", mode, required, client)
				spoken := mode == comm.ModeDual || (client == comm.ClientGM) == (mode == comm.ModeGM)

				status, body, err := get(p.client(t, client, true, p.stdCA, p.gmCA), server, "/secure")
				if !spoken {
					require.ErrorContains(t, err, "no common protocol", name)
					continue
				}
				require.NoError(t, err, name)
				require.Equal(t, http.StatusOK, status, name)
				version := fmt.Sprintf("%#x", tls.VersionTLS13)
				if client == comm.ClientGM {
					version = fmt.Sprintf("%#x", gmtls.VersionTLCP)
				}
				require.Equal(t, version, body, name)

				status, _, err = get(p.client(t, client, false, nil, nil), server, "/secure")
				if required {
					require.Error(t, err, name)
				} else {
					require.NoError(t, err, name)
					require.Equal(t, http.StatusUnauthorized, status, name)
					status, _, err = get(p.client(t, client, false, nil, nil), server, "/open")
					require.NoError(t, err, name)
					require.Equal(t, http.StatusOK, status, name)
				}

				// A certificate of another CA opens nothing: the handshake fails, or the client keeps it back.
				status, _, err = get(p.client(t, client, true, stranger.stdCA, stranger.gmCA), server, "/secure")
				require.True(t, err != nil || !required && status == http.StatusUnauthorized, "%s: %d %v", name, status, err)
			}
		}
	}
}

// TestHeaderIsBounded: a long header is refused over either protocol, and over none.
func TestHeaderIsBounded(t *testing.T) {
	p := newPKI(t)
	p.server.Mode = string(comm.ModeDual)
	for _, mode := range []comm.ClientMode{comm.ClientTLS, comm.ClientGM, ""} {
		config, client, scheme := p.server, p.client(t, mode, false, nil, nil), "https://"
		if mode == "" {
			config, client, scheme = fabhttp.TLS{}, http.DefaultClient, "http://"
		}
		server := serve(t, config)
		for length, want := range map[int]int{8 << 10: http.StatusOK, 32 << 10: http.StatusRequestHeaderFieldsTooLarge} {
			request, err := http.NewRequest(http.MethodGet, scheme+server.Addr()+"/open", nil)
			require.NoError(t, err)
			request.Header.Set("X-Long", strings.Repeat("x", length))
			answer, err := client.Do(request)
			require.NoError(t, err, "%s %d", mode, length)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, want, answer.StatusCode, "%s %d", mode, length)
		}
	}
}

// TestClockShift: a client whose pair has expired is let in where the clock is set back behind that.
func TestClockShift(t *testing.T) {
	p := newPKI(t)
	p.server.Mode, p.server.ClientCertRequired = string(comm.ModeGM), true
	opts := comm.SecureOptions{UseTLS: true, ServerRootCAs: p.roots, ClientMode: comm.ClientGM, RequireClientCert: true}
	opts.Certificate, opts.Key = p.gmCA.NewPairUntil(t, time.Now().Add(-time.Hour)).Bundle(nil, nil)
	transport, err := opts.HTTPTransport()
	require.NoError(t, err)
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}

	_, _, err = get(client, serve(t, p.server), "/secure")
	require.Error(t, err)
	p.server.ClockShift = 2 * time.Hour
	status, _, err := get(client, serve(t, p.server), "/secure")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
}

func TestServerWithoutStandardPair(t *testing.T) {
	p := newPKI(t)
	config := p.server
	config.CertFile, config.KeyFile, config.Mode = "", "", string(comm.ModeGM)
	server := serve(t, config)
	status, _, err := get(p.client(t, comm.ClientGM, true, p.stdCA, p.gmCA), server, "/secure")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
}

func TestCipherSuites(t *testing.T) {
	p := newPKI(t)
	for _, suite := range gmtls.CipherSuites() {
		config := p.server
		config.Mode, config.GMCipherSuites, config.ClientCertRequired = string(comm.ModeGM), []string{suite.Name}, true
		server := fabhttp.NewServer(fabhttp.Options{ListenAddress: "127.0.0.1:0", TLS: config})
		server.RegisterHandler("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, gmtls.CipherSuiteName(r.TLS.CipherSuite))
		}), true)
		require.NoError(t, server.Start())
		status, body, err := get(p.client(t, comm.ClientGM, true, p.stdCA, p.gmCA), server, "/")
		require.NoError(t, err, suite.Name)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, suite.Name, body)
		require.NoError(t, server.Stop())
	}
}

// TestHybrid: TLS 1.3 with GM suites takes the hybrid key exchange where the configuration says so, of clients that prefer it.
func TestHybrid(t *testing.T) {
	p := newPKI(t)
	for _, hybrid := range []bool{true, false} {
		config := p.server
		config.Mode, config.GMProtocols, config.GMHybrid = string(comm.ModeGM), []string{comm.GMProtocolTLS13}, hybrid
		conn, err := gmtls.Dial("tcp", serve(t, config).Addr(), &gmtls.Config{
			Versions: []uint16{gmtls.VersionTLS13}, InsecureSkipVerify: true,
			CurvePreferences: []gmtls.CurveID{gmtls.CurveSM2MLKEM768, gmtls.CurveSM2},
		})
		require.NoError(t, err)
		want := map[bool]gmtls.CurveID{true: gmtls.CurveSM2MLKEM768, false: gmtls.CurveSM2}[hybrid]
		require.Equal(t, want, conn.ConnectionState().CurveID)
		require.NoError(t, conn.Close())
	}
}

// A server with a role follows its files and the mode that an operator sets, without a restart; a bad file changes nothing.
func TestReloadAndSwitchWhileServing(t *testing.T) {
	p := newPKI(t)
	config := p.server
	config.Role = "test.fabhttp"
	server := serve(t, config)
	presented := func() *x509.Certificate {
		conn, err := tls.Dial("tcp", server.Addr(), &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	before := presented()
	renewed := p.renewStandard(t)
	require.True(t, presented().Equal(before), "nothing changes before the reload")
	require.NoError(t, comm.Reload("test.fabhttp"))
	require.True(t, presented().Equal(renewed))

	gmtlstest.WriteFile(t, p.dir, "server.crt", []byte("not a certificate"))
	require.Error(t, comm.Reload("test.fabhttp"))
	require.True(t, presented().Equal(renewed))
	p.renewStandard(t)

	gm := func() error {
		_, _, err := get(p.client(t, comm.ClientGM, true, p.stdCA, p.gmCA), server, "/secure")
		return err
	}
	require.ErrorContains(t, gm(), "no common protocol")
	require.NoError(t, comm.SetMode("test.fabhttp", comm.ModeGM, ""))
	require.NoError(t, gm())
	_, _, err := get(p.client(t, comm.ClientTLS, true, p.stdCA, p.gmCA), server, "/open")
	require.ErrorContains(t, err, "no common protocol")
}

func TestTLSSettingsThatCannotWork(t *testing.T) {
	p := newPKI(t)
	empty := gmtlstest.WriteFile(t, p.dir, "empty.pem", []byte("no certificate here"))
	for name, tc := range map[string]struct {
		change func(*fabhttp.TLS)
		want   string
	}{
		"unknown mode": {func(c *fabhttp.TLS) { c.Mode = "tlcp" }, "not a server mode"},
		"dual without SM2 pair": {func(c *fabhttp.TLS) {
			c.Mode, c.GMSignCertFile, c.GMSignKeyFile, c.GMEncCertFile, c.GMEncKeyFile = "dual", "", "", "", ""
		}, "SM2 signing and encryption pair"},
		"half an SM2 pair":        {func(c *fabhttp.TLS) { c.Mode, c.GMEncKeyFile = "gm", "" }, "encryption"},
		"SM2 file missing":        {func(c *fabhttp.TLS) { c.Mode, c.GMSignCertFile = "gm", "absent.pem" }, "absent.pem"},
		"dual without standard":   {func(c *fabhttp.TLS) { c.Mode, c.CertFile, c.KeyFile = "dual", "", "" }, "it has no certificate for TLS"},
		"unknown suite":           {func(c *fabhttp.TLS) { c.Mode, c.GMCipherSuites = "gm", []string{"SM4"} }, "SM4"},
		"client CA file is empty": {func(c *fabhttp.TLS) { c.ClientCACertFiles = append(c.ClientCACertFiles, empty) }, "empty.pem: it is neither PEM nor DER"},
		"client CA file, mode gm": {func(c *fabhttp.TLS) {
			c.Mode, c.CertFile, c.KeyFile, c.ClientCACertFiles = "gm", "", "", []string{empty}
		}, "empty.pem: it is neither PEM nor DER"},
	} {
		config := p.server
		config.ClientCACertFiles = append([]string{}, p.server.ClientCACertFiles...)
		tc.change(&config)
		err := fabhttp.NewServer(fabhttp.Options{ListenAddress: "127.0.0.1:0", TLS: config}).Start()
		require.ErrorContains(t, err, tc.want, name)
	}
}
