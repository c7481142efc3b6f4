// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// secureDial opens a connection and completes the handshake.
type secureDial func(ctx context.Context, network, address string) (net.Conn, error)

// dialer connects to node as a user of org, by TLS or TLCP (ModeTLS or ModeGM). TLS offers the application protocols.
func (n *Network) dialer(mode string, node Node, org Org, user string, protocols ...string) (secureDial, error) {
	server := n.path(filepath.FromSlash(n.nodeCrypto(node)), "tls")
	client := n.path(filepath.FromSlash(n.userCrypto(org, user)), "tls")
	if mode == ModeGM {
		version := gmtls.VersionTLCP
		if n.GMProtocol == GMProtocolTLS13 {
			version = gmtls.VersionTLS13
		}
		return gmDialer(server, client, n.Suite, version)
	}
	return tlsDialer(server, client, protocols...)
}

// Dial connects to the service of node by gRPC, with the TLS or TLCP certificates of a user of org (Admin or User1). The caller
// closes the connection.
func (n *Network) Dial(node Node, org Org, user string) (*grpc.ClientConn, error) {
	dial, err := n.dialer(n.ClientMode, node, org, user, "h2")
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+node.Local(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the dialer has made the handshake
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", node.Name, err)
	}
	return conn, nil
}

// tlsDialer trusts the root in the folder server and presents the pair in the folder client.
func tlsDialer(server, client string, protocols ...string) (secureDial, error) {
	file := filepath.Join(server, "ca.crt")
	root, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("TLS root: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return nil, fmt.Errorf("no certificate that TLS can use in %s", file)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(client, "client.crt"), filepath.Join(client, "client.key"))
	if err != nil {
		return nil, fmt.Errorf("TLS client certificate: %w", err)
	}
	d := &tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}, NextProtos: protocols,
	}}
	return d.DialContext, nil
}

// gmDialer is tlsDialer's counterpart; suite, one of TLCP, may be empty.
func gmDialer(server, client, suite string, version uint16) (secureDial, error) {
	file := filepath.Join(server, "gm-ca.crt")
	root, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("TLCP root: %w", err)
	}
	roots := smx509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	pair, err := gmtls.LoadX509KeyPair(filepath.Join(client, "client-sign.crt"), filepath.Join(client, "client-sign.key"),
		filepath.Join(client, "client-enc.crt"), filepath.Join(client, "client-enc.key"))
	if err != nil {
		return nil, fmt.Errorf("TLCP client certificates: %w", err)
	}
	config := &gmtls.Config{Versions: []uint16{version}, RootCAs: roots, Certificates: []gmtls.Certificate{pair}}
	for _, s := range gmtls.CipherSuites() {
		if s.Name == suite {
			config.CipherSuites = []uint16{s.ID}
		}
	}
	d := &gmtls.Dialer{Config: config}
	return d.DialContext, nil
}

// handshakeFails is what InUse says, after the mode, of one that a node does not grant.
const handshakeFails = " handshake fails"

// both stands between what InUse says of two modes.
const both = " + "

// InUse says which protocols and suites the node's service grants a client of its organisation, from handshakes made for
// the purpose.
func (n *Network) InUse(ctx context.Context, node Node) string {
	modes := []string{n.Mode}
	switch {
	case node.Kind == Chaincode:
		modes = []string{n.ClientMode} // it is only ever dialed
	case n.Mode == ModeDual:
		modes = []string{ModeGM, ModeTLS}
	}
	var found []string
	for _, mode := range modes {
		text, err := n.probe(ctx, mode, node)
		if err != nil {
			text = mode + handshakeFails
		}
		found = append(found, text)
	}
	return strings.Join(found, both)
}

// allFail reports whether what InUse says is that the node grants nothing.
func allFail(use string) bool {
	return strings.Count(use, handshakeFails) == strings.Count(use, both)+1
}

// probe makes one handshake with the node's service and returns the version and suite it ended with.
func (n *Network) probe(ctx context.Context, mode string, node Node) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, operationsLimit)
	defer cancel()
	dial, err := n.dialer(mode, node, n.OrgOf(node), "Admin")
	if err != nil {
		return "", err
	}
	conn, err := dial(ctx, "tcp", node.Local())
	if err != nil {
		return "", fmt.Errorf("%s handshake with %s: %w", mode, node.Name, err)
	}
	defer conn.Close()
	switch c := conn.(type) {
	case *tls.Conn:
		state := c.ConnectionState()
		return tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite), nil
	case *gmtls.Conn:
		state := c.ConnectionState()
		if state.Version == gmtls.VersionTLS13 {
			return "TLS 1.3 " + gmtls.CipherSuiteName(state.CipherSuite), nil
		}
		return "TLCP " + gmtls.CipherSuiteName(state.CipherSuite), nil
	}
	return "", fmt.Errorf("unknown kind of connection %T", conn)
}

// ServedCertificate is the leaf that a node's service presents to the network's own kind of dialers, in DER: under TLCP the
// signing certificate.
func (n *Network) ServedCertificate(ctx context.Context, node Node) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, operationsLimit)
	defer cancel()
	dial, err := n.dialer(n.ClientMode, node, n.OrgOf(node), "Admin")
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, "tcp", node.Local())
	if err != nil {
		return nil, n.explain(fmt.Errorf("handshake with %s: %w", node.Name, err), node)
	}
	defer conn.Close()
	switch c := conn.(type) {
	case *tls.Conn:
		return c.ConnectionState().PeerCertificates[0].Raw, nil
	case *gmtls.Conn:
		return c.ConnectionState().PeerCertificates[0].Raw, nil
	}
	return nil, fmt.Errorf("unknown kind of connection %T", conn)
}
