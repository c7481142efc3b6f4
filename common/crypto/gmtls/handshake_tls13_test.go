// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"fmt"
	"testing"
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
