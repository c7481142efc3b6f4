// SPDX-License-Identifier: Apache-2.0

// Package fakenet is a whole network in one process, for tests of clients: a chaincode and its server, a fakepeer that runs it, a
// fakegateway over TLS or TLCP on a loopback port, and connection profiles for clients.
package fakenet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/kittest/fakegateway"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/hyperledger/fabric/pkg/gmgateway"
	"github.com/hyperledger/fabric/pkg/gmshim"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// lifetime bounds a network, should a test hang.
const lifetime = 2 * time.Minute

// Options are what networks differ in.
type Options struct {
	Chaincode string // its name
	Mode      gmgateway.Mode
	Mutual    bool     // demand client certificates
	Suites    []uint16 // of TLCP; nil for the defaults
}

// Network is a gateway on a port, with the authorities that clients of it need.
type Network struct {
	*fakegateway.Gateway
	Address     string
	TLSCA, GMCA *gmtlstest.CA

	options Options
}

// Values is a mapping of YAML or JSON.
type Values = map[string]any

// New serves chaincode through a gateway until the test ends.
func New(t testing.TB, chaincode shim.Chaincode, options Options) *Network {
	t.Helper()
	n := Strange(t, "")
	n.options = options
	n.Gateway = fakegateway.New(options.Chaincode, Peer(t, chaincode))
	n.Gateway.Mutual = options.Mutual
	server := grpc.NewServer(grpc.Creds(n.credentials(t)))
	n.Register(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	n.Address = listener.Addr().String()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return n
}

// Strange is a network at an address that has authorities and nothing else: its profiles name roots that no server at
// that address has its certificate from.
func Strange(t testing.TB, address string) *Network {
	t.Helper()
	return &Network{
		Address: address,
		TLSCA:   gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "tls"),
		GMCA:    gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "gmtls"),
	}
}

// Peer serves chaincode until the test ends, and returns a fake peer in front of it.
func Peer(t testing.TB, chaincode shim.Chaincode) *fakepeer.Peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	t.Cleanup(cancel)
	server := &gmshim.ChaincodeServer{}
	server.CCID, server.CC, server.TLSProps.Disabled = "test:1", chaincode, true
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(ctx, listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	p, err := fakepeer.Connect(ctx, conn)
	require.NoError(t, err)
	return p
}

func (n *Network) credentials(t testing.TB) credentials.TransportCredentials {
	t.Helper()
	if n.options.Mode == gmgateway.ModeTLS {
		leaf := n.TLSCA.Issue(t, pkix.Name{CommonName: "peer0"})
		pair, err := tls.X509KeyPair(leaf.CertPEM, leaf.KeyPEM)
		require.NoError(t, err)
		config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
		if n.options.Mutual {
			config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			config.ClientCAs.AddCert(n.TLSCA.Cert)
		}
		return credentials.NewTLS(config)
	}
	own := n.GMCA.NewPair(t, "localhost", "127.0.0.1")
	pair, err := gmtls.X509KeyPair(own.SignCert, own.SignKey, own.EncCert, own.EncKey)
	require.NoError(t, err)
	config := &gmtls.Config{Certificates: []gmtls.Certificate{pair}, CipherSuites: n.options.Suites}
	if slices.Contains(n.options.Suites, gmtls.TLS_SM4_GCM_SM3) {
		config.Versions = []uint16{gmtls.VersionTLS13}
	}
	if n.options.Mutual {
		pool := gmx509.NewCertPool()
		pool.AddCert(n.GMCA.Cert)
		config.ClientAuth, config.ClientCAs = gmtls.RequireAndVerifyClientCert, pool.SM()
	}
	return gmcredentials.New(config)
}

// Profile returns the content of a connection profile for a new client of Org1.
func (n *Network) Profile(t testing.TB, mode gmgateway.Mode, identity gmtlstest.Family, mutual bool) Values {
	t.Helper()
	user := gmtlstest.NewFamilyCA(t, identity, "ca").Issue(t, pkix.Name{CommonName: "user"})
	text := func(b []byte) Values { return Values{"pem": string(b)} }
	settings := Values{"mode": string(mode)}
	ca := n.TLSCA.CertPEM
	if mode == gmgateway.ModeGM {
		ca = n.GMCA.CertPEM
	}
	if mutual && mode == gmgateway.ModeTLS {
		leaf := n.TLSCA.Issue(t, pkix.Name{CommonName: "user"})
		settings["cert"], settings["key"] = text(leaf.CertPEM), text(leaf.KeyPEM)
	}
	if mutual && mode == gmgateway.ModeGM {
		pair := n.GMCA.NewPair(t)
		settings["cert"], settings["key"] = text(pair.SignCert), text(pair.SignKey)
		settings["encCert"], settings["encKey"] = text(pair.EncCert), text(pair.EncKey)
	}
	return Values{
		"name": "test", "version": "1.0.0",
		"client": Values{
			"organization": "Org1",
			"identity":     Values{"cert": text(user.CertPEM), "key": text(user.KeyPEM)},
			"tls":          settings,
			"connection":   Values{"timeout": Values{"peer": Values{"endorser": "300"}}},
		},
		"organizations":          Values{"Org1": Values{"mspid": "Org1MSP", "peers": []string{"peer0"}, "certificateAuthorities": []string{"ca"}}},
		"peers":                  Values{"peer0": Values{"url": "grpcs://" + n.Address, "tlsCACerts": text(ca)}},
		"certificateAuthorities": Values{"ca": Values{"url": "https://localhost:7054"}},
	}
}

// ProfileFile writes a profile for a client that can connect, and returns the path.
func (n *Network) ProfileFile(t testing.TB, identity gmtlstest.Family) string {
	t.Helper()
	return Write(t, n.Profile(t, n.options.Mode, identity, n.options.Mutual))
}

// Write writes a profile to a new file and returns the path.
func Write(t testing.TB, profile Values) string {
	t.Helper()
	content, err := json.Marshal(profile) // JSON is YAML too
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "profile.json")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}
