// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
)

// Two ends meet if they have a protocol in common, and fail otherwise by an alert
// that says so: nobody tries another one.
func TestVersions(t *testing.T) {
	both := []uint16{VersionTLCP, VersionTLS13}
	for _, test := range []struct {
		client, server []uint16
		want           uint16 // 0: they have none in common
	}{
		{nil, nil, VersionTLCP},
		{nil, both, VersionTLCP},
		{both[:1], both, VersionTLCP},
		{both[1:], both, VersionTLS13},
		{both[1:], []uint16{VersionTLS13, VersionTLCP}, VersionTLS13},
		{both[1:], both[1:], VersionTLS13},
		{nil, both[1:], 0},
		{both[1:], nil, 0},
		{both[1:], both[:1], 0},
	} {
		t.Run(fmt.Sprint(test.client, test.server), func(t *testing.T) {
			clientConfig, serverConfig := testConfigs(t)
			clientConfig.Versions, serverConfig.Versions = test.client, test.server
			if test.want != 0 {
				client, server := mustShake(t, clientConfig, serverConfig)
				if cv, sv := client.ConnectionState().Version, server.ConnectionState().Version; cv != test.want || sv != test.want {
					t.Errorf("versions %s, %s", VersionName(cv), VersionName(sv))
				}
				return
			}
			_, _, clientErr, serverErr := shake(t, clientConfig, serverConfig)
			wantAlert(t, serverErr, "local error", AlertProtocolVersion)
			var header RecordHeaderError
			if !errors.As(serverErr, &header) {
				t.Errorf("server: %v", serverErr)
			}
			if clientErr == nil {
				t.Error("the client is content")
			}
		})
	}
}

// A client names one protocol that this package speaks, and a suite and a group
// for it.
func TestConfigRefused13(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"names one version":     func(c *Config) { c.Versions = []uint16{VersionTLCP, VersionTLS13} },
		"names one version, T":  func(c *Config) { c.Versions = []uint16{0x0303} },
		"names one":             func(c *Config) { c.Versions = []uint16{} },
		"no suite of TLS 1.3":   func(c *Config) { c.CipherSuites = []uint16{ECC_SM4_GCM_SM3} },
		"CurvePreferences has":  func(c *Config) { c.CurvePreferences = []CurveID{29} },
		"there twice":           func(c *Config) { c.CurvePreferences = []CurveID{CurveSM2, CurveSM2} },
		"is empty":              func(c *Config) { c.CurvePreferences = []CurveID{} },
		"needs ServerName or I": func(c *Config) { c.ServerName = "" },
		"NextProtos has a name": func(c *Config) { c.NextProtos = []string{""} },
	} {
		client, server := testConfigs13(t)
		change(client)
		_, _, clientErr, _ := shake(t, client, server)
		if clientErr == nil || !strings.Contains(clientErr.Error(), name) {
			t.Errorf("%s: %v", name, clientErr)
		}
	}
	client, server := testConfigs13(t)
	server.CipherSuites = []uint16{ECC_SM4_GCM_SM3}
	_, _, _, serverErr := shake(t, client, server)
	wantAlert(t, serverErr, "local error", AlertHandshakeFailure)
}

// What the application chooses for a client must have the client's protocol.
func TestGetConfigForClient13(t *testing.T) {
	client, server := testConfigs13(t)
	var versions []uint16
	chosen := server.Clone()
	server.Certificates = nil
	server.GetConfigForClient = func(info *ClientHelloInfo) (*Config, error) {
		versions = info.SupportedVersions
		return chosen, nil
	}
	mustShake(t, client, server)
	if len(versions) != 1 || versions[0] != VersionTLS13 {
		t.Errorf("the application sees %x", versions)
	}
	chosen = chosen.Clone()
	chosen.Versions = nil
	_, _, clientErr, serverErr := shake(t, client, server)
	wantAlert(t, serverErr, "local error", AlertProtocolVersion)
	wantAlert(t, clientErr, "remote error", AlertProtocolVersion)
}

// A client and a server of the standard library have nothing in common with
// ours, at any version.
func TestStandardTLSRefused13(t *testing.T) {
	client, server := testConfigs13(t)
	stdClient, stdServer := stdConfigs(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c, s := tcpPair(t)
		done := make(chan error, 1)
		go func() {
			err := Server(s, server).Handshake()
			s.Close()
			done <- err
		}()
		stdClient.MinVersion, stdClient.MaxVersion = version, version
		err := tls.Client(c, stdClient).Handshake()
		c.Close()
		if serverErr := <-done; err == nil || serverErr == nil {
			t.Errorf("client: %v; server: %v", err, serverErr)
		}

		c, s = tcpPair(t)
		go func() {
			stdServer.MinVersion, stdServer.MaxVersion = version, version
			err := tls.Server(s, stdServer).Handshake()
			s.Close()
			done <- err
		}()
		err = Client(c, client).Handshake()
		c.Close()
		if serverErr := <-done; err == nil || serverErr == nil {
			t.Errorf("client: %v; server: %v", err, serverErr)
		}
	}
}

// In TLS 1.3 a key that serves is one that signs digests.
func TestSigningKeys13(t *testing.T) {
	client, server := testConfigs13(t)
	server.Certificates[0].PrivateKey = &deviceKey{key: server.Certificates[0].PrivateKey.(*sm2.PrivateKey)}
	mustShake(t, client, server)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.PrivateKey{"no key", foreign} {
		server.Certificates[0].PrivateKey = key
		_, _, _, serverErr := shake(t, client, server)
		wantAlert(t, serverErr, "local error", AlertInternalError)
	}
	whole := server.Certificates[0]
	for _, lacking := range []Certificate{{Certificate: whole.Certificate}, {PrivateKey: whole.PrivateKey}} {
		server.Certificates = nil
		server.GetCertificate = func(*ClientHelloInfo) (*Certificate, error) { return &lacking, nil }
		_, _, _, serverErr := shake(t, client, server)
		wantAlert(t, serverErr, "local error", AlertInternalError)
		if !strings.Contains(serverErr.Error(), "lacks the signing certificate or its key") {
			t.Error(serverErr)
		}
	}
}

// The signing certificate alone serves, and of a pair it alone is sent.
func TestSingleCertificate13(t *testing.T) {
	ca := newCA(t, "root", nil)
	middle := newCA(t, "intermediate", ca)
	client, server := testConfigs13(t)
	client.RootCAs, server.ClientCAs = poolOf(ca), poolOf(ca)
	pair := middle.pair(t, testName, []*testCA{middle})
	server.Certificates = []Certificate{pair}
	clientCert := middle.pair(t, "client.test", []*testCA{middle})
	clientCert.Certificate = [][]byte{clientCert.Certificate[0], middle.cert.Raw}
	clientCert.EncPrivateKey, clientCert.EncLeaf = nil, nil
	client.Certificates = []Certificate{clientCert}
	for range 2 { // from the chain cache, the second time
		c, s := mustShake(t, client, server)
		for _, state := range []ConnectionState{c.ConnectionState(), s.ConnectionState()} {
			if len(state.PeerCertificates) != 2 || !state.PeerCertificates[1].IsCA || len(state.VerifiedChains[0]) != 3 {
				t.Errorf("%d certificates, chains %v", len(state.PeerCertificates), state.VerifiedChains)
			}
		}
	}
	if !bytes.Equal(pair.Certificate[1], server.Certificates[0].Certificate[1]) {
		t.Error("the pair was changed")
	}
}

func TestExporter13(t *testing.T) {
	client, server := mustShake(testPair13(t))
	other, _ := mustShake(testPair13(t))
	seen := map[string]string{}
	for _, label := range []string{"a", "b"} {
		for _, context := range [][]byte{nil, {1}} {
			for _, length := range []int{16, 32, 100} {
				ours, err := client.exportKeyingMaterial13(label, context, length)
				theirs, err2 := server.exportKeyingMaterial13(label, context, length)
				foreign, err3 := other.exportKeyingMaterial13(label, context, length)
				if err != nil || err2 != nil || err3 != nil || !bytes.Equal(ours, theirs) || len(ours) != length || bytes.Equal(ours, foreign) {
					t.Errorf("%x, %x, %x; %v, %v, %v", ours, theirs, foreign, err, err2, err3)
				}
				what := fmt.Sprint(label, context, length)
				if before, ok := seen[string(ours[:16])]; ok {
					t.Errorf("%s and %s give the same", before, what)
				}
				seen[string(ours[:16])] = what
			}
		}
	}
	if _, err := client.exportKeyingMaterial13(strings.Repeat("x", 250), nil, 16); err == nil {
		t.Error("a label that does not fit is taken")
	}
	for _, length := range []int{0, -1} {
		if _, err := client.exportKeyingMaterial13("x", nil, length); err == nil {
			t.Errorf("the length %d is taken", length)
		}
	}
	if _, err := client.exportKeyingMaterial13("x", nil, 255*32+1); err == nil {
		t.Error("a length that does not fit is taken")
	}
}

// The key log has the labels that analysers know, and the same secrets at both ends.
func TestKeyLog13(t *testing.T) {
	client, server := testConfigs13(t)
	var logs [2]bytes.Buffer
	client.KeyLogWriter, server.KeyLogWriter = &logs[0], &logs[1]
	c, s := mustShake(t, client, server)
	c.Close()
	s.Close()
	if logs[0].String() != logs[1].String() {
		t.Errorf("client:\n%sserver:\n%s", &logs[0], &logs[1])
	}
	for _, label := range []string{
		"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET",
		"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET",
	} {
		if !strings.Contains(logs[0].String(), label+" ") {
			t.Errorf("the key log has no %s", label)
		}
	}
}
