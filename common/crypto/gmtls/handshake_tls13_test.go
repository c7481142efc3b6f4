// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// testConfigs13 is testConfigs for TLS 1.3.
func testConfigs13(t testing.TB) (client, server *Config) {
	t.Helper()
	client, server = testConfigs(t)
	client.Versions, server.Versions = []uint16{VersionTLS13}, []uint16{VersionTLS13}
	return client, server
}

func TestHandshake13(t *testing.T) {
	hybrid := []CurveID{CurveSM2MLKEM768, CurveSM2}
	for _, suite := range CipherSuitesTLS13() {
		for _, groups := range []struct {
			client, server []CurveID
			want           CurveID
		}{
			{nil, nil, CurveSM2},
			{nil, hybrid, CurveSM2},
			{hybrid, nil, CurveSM2},
			{hybrid, hybrid, CurveSM2MLKEM768},
			{hybrid[:1], hybrid, CurveSM2MLKEM768},
			{[]CurveID{CurveSM2, CurveSM2MLKEM768}, hybrid, CurveSM2MLKEM768}, // HelloRetryRequest
			{hybrid[:1], []CurveID{CurveSM2, CurveSM2MLKEM768}, CurveSM2MLKEM768},
		} {
			for _, auth := range []ClientAuthType{NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert} {
				t.Run(fmt.Sprint(suite.Name, groups.client, groups.server, auth), func(t *testing.T) {
					clientConfig, serverConfig := testConfigs13(t)
					clientConfig.CipherSuites = []uint16{suite.ID}
					clientConfig.CurvePreferences, serverConfig.CurvePreferences = groups.client, groups.server
					clientConfig.NextProtos, serverConfig.NextProtos = []string{"x", "h2"}, []string{"h2"}
					serverConfig.ClientAuth = auth
					client, server := mustShake(t, clientConfig, serverConfig)
					cs, ss := client.ConnectionState(), server.ConnectionState()
					for _, s := range []ConnectionState{cs, ss} {
						if s.Version != VersionTLS13 || s.CipherSuite != suite.ID || s.CurveID != groups.want ||
							s.NegotiatedProtocol != "h2" || s.ServerName != testName || s.DidResume || !s.HandshakeComplete {
							t.Errorf("state %+v", s)
						}
					}
					if len(cs.PeerCertificates) != 1 || len(cs.VerifiedChains) != 1 || cs.EncVerifiedChains != nil {
						t.Errorf("the client sees %d certificates and %d chains", len(cs.PeerCertificates), len(cs.VerifiedChains))
					}
					if got, want := len(ss.PeerCertificates) == 1, auth != NoClientCert; got != want {
						t.Errorf("the server sees a client: %v, want %v", got, want)
					}
				})
			}
		}
	}
}

// signUsage changes the KeyUsage of a pair's signing certificate.
func signUsage(usage smx509.KeyUsage) certOptions {
	return func(c *smx509.Certificate) {
		if c.KeyUsage == testSignUsage {
			c.KeyUsage = usage
		}
	}
}

// TestUsage13: a pair whose signing certificate is for contentCommitment alone is good in TLCP. In TLS 1.3 neither side presents it, and either side
// refuses it of a peer that does, also with the chain in its cache. With digitalSignature beside it, as CAs issue it, both protocols take it.
func TestUsage13(t *testing.T) {
	ca := newCA(t, "ca", nil)
	for usage, refused := range map[smx509.KeyUsage]bool{
		smx509.KeyUsageContentCommitment:                                   true,
		smx509.KeyUsageContentCommitment | smx509.KeyUsageDigitalSignature: false,
	} {
		good, pair := ca.pair(t, testName, nil), ca.pair(t, testName, nil, signUsage(usage))
		cache := NewChainCache(4)
		configs := func(version uint16, server, client Certificate) (*Config, *Config) {
			return &Config{Versions: []uint16{version}, RootCAs: poolOf(ca), ServerName: testName, Certificates: []Certificate{client}, ChainCache: cache},
				&Config{Versions: []uint16{version}, ClientCAs: poolOf(ca), ClientAuth: RequireAndVerifyClientCert, Certificates: []Certificate{server}, ChainCache: cache}
		}
		client, server := configs(VersionTLCP, pair, pair)
		mustShake(t, client, server)

		unparsed, masked := pair, pair
		unparsed.Leaf = nil
		masked.Leaf = good.Leaf // hides from its own side what the certificate is for
		errs := map[string]error{}
		for name, own := range map[string]Certificate{"parsed": pair, "unparsed": unparsed} {
			client, server = configs(VersionTLS13, own, good)
			_, _, _, errs["own server, "+name] = shake(t, client, server)
			client, server = configs(VersionTLS13, good, own)
			_, _, errs["own client, "+name], _ = shake(t, client, server)
		}
		client, server = configs(VersionTLS13, masked, good)
		_, _, errs["the server's, at the client"], _ = shake(t, client, server)
		client, server = configs(VersionTLS13, good, masked)
		_, _, _, errs["the client's, at the server"] = shake(t, client, server)
		for where, err := range errs {
			if errors.Is(err, gmx509.ErrTLS13Usage) != refused || !refused && err != nil {
				t.Errorf("usage %b, %s: %v", usage, where, err)
			}
			if own := strings.HasPrefix(where, "own"); refused && own && !strings.Contains(fmt.Sprint(err), fmt.Sprintf("%q (serial number %x)", pair.Leaf.Subject, pair.Leaf.SerialNumber)) {
				t.Errorf("%s: does not name the certificate: %v", where, err)
			}
		}
	}
}
