// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/operations"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// asking is how many nodes are asked at a time.
const asking = 16

// facts is what a node tells about itself.
type facts struct {
	Name         string        `json:"name"`
	Organization string        `json:"organization"`
	Problem      string        `json:"problem,omitempty"` // why it could not be asked
	Version      string        `json:"version,omitempty"`
	Fork         bool          `json:"fork"`                // its operations service has /tls
	Unhealthy    string        `json:"unhealthy,omitempty"` // components that say so, with the reason
	Skew         time.Duration `json:"clock_skew_ns"`       // its clock minus this machine's, to about a second
	Roles        []role        `json:"roles,omitempty"`
	Stage        int           `json:"stage"` // see stageOf

	node *node
	pair []*x509.Certificate // what it presents over TLCP at its address: signing, encryption, chain
	// pairProblem says why there is no pair.
	pairProblem error
}

// role is one element of the answer of /tls; docs/operations.md describes it.
type role struct {
	Role       string `json:"role"`
	ServerMode string `json:"serverMode,omitempty"`
	ClientMode string `json:"clientMode,omitempty"`
	// The modes at start.
	ConfiguredServerMode string        `json:"configuredServerMode,omitempty"`
	ConfiguredClientMode string        `json:"configuredClientMode,omitempty"`
	Certificates         []certificate `json:"certificates"`
	ServerRoots          []root        `json:"serverRoots,omitempty"`
	ClientRoots          []root        `json:"clientRoots,omitempty"`
	Listeners            []struct {
		Address     string       `json:"address"`
		Connections []connection `json:"connections"`
	} `json:"listeners,omitempty"`
	Dialed []connection `json:"dialed,omitempty"`
}

type certificate struct {
	Use      string    `json:"use"` // tls, gm-signing or gm-encryption
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"notAfter"`
}

type root struct {
	Family  string `json:"family"` // tls or gm
	Subject string `json:"subject"`
}

type connection struct {
	Protocol string `json:"protocol"` // TLS or TLCP
	Suite    string `json:"suite"`
	Count    int    `json:"count"`
}

// management tells whether the role is a server for operators, or that for the
// chaincode that the peer launched, which has a protocol of its own: stages do
// not demand anything of them.
func (r role) management() bool {
	return strings.HasSuffix(r.Role, ".operations") || r.Role == "orderer.admin" || r.Role == "peer.chaincode"
}

func (r role) has(use string) bool {
	for _, c := range r.Certificates {
		if c.Use == use {
			return true
		}
	}
	return false
}

// over counts the role's live connections of a protocol.
func (r role) over(protocol string) (listening, dialed int) {
	for _, l := range r.Listeners {
		listening += count(l.Connections, protocol)
	}
	return listening, count(r.Dialed, protocol)
}

func count(connections []connection, protocol string) (n int) {
	for _, c := range connections {
		if c.Protocol == protocol {
			n += c.Count
		}
	}
	return n
}

// gather asks every node of the inventory.
func gather(ctx context.Context, inv *inventory) []*facts {
	nodes := inv.nodes()
	all := make([]*facts, len(nodes))
	places := make(chan struct{}, asking)
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			all[i] = ask(ctx, inv.Organizations[n.org], n)
		})
	}
	wg.Wait()
	return all
}

func ask(ctx context.Context, org *organization, n *node) *facts {
	f := &facts{Name: n.name, Organization: n.org, node: n}
	ctx, cancel := context.WithTimeout(ctx, 3*operations.AskLimit)
	defer cancel()
	if err := f.operations(ctx, org); err != nil {
		f.Problem = wire.Printable(err.Error())
	}
	if f.speaksTLCP() {
		f.pair, f.pairProblem = presented(ctx, n.Address)
	}
	f.Stage = stageOf(f)
	return f
}

// speaksTLCP tells whether a listener of the node's service should answer to TLCP.
func (f *facts) speaksTLCP() bool {
	return slices.ContainsFunc(f.Roles, func(r role) bool {
		return !r.management() && (r.ServerMode == "dual" || r.ServerMode == "gm")
	})
}

// operations asks the operations service.
func (f *facts) operations(ctx context.Context, org *organization) error {
	s, err := operations.NewService(&org.Client, f.node.Operations)
	if err != nil {
		return fmt.Errorf("client of %s: %w", f.node.org, err)
	}
	defer s.Close()
	var version struct{ Version string }
	before := time.Now()
	code, date, err := s.Get(ctx, "/version", &version)
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return fmt.Errorf("%s/version answers with status %d", f.node.Operations, code)
	}
	f.Version = wire.Printable(version.Version)
	if f.Skew, err = skew(date, before, time.Now()); err != nil {
		return err
	}
	if f.Unhealthy, err = s.Health(ctx); err != nil {
		return err
	}
	switch code, _, err := s.Get(ctx, "/tls", &f.Roles); {
	case code == http.StatusNotFound: // as stock Fabric answers
		f.Roles = nil
	case err != nil:
		return err
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("%s/tls answers with status %d: it does not accept the client certificate of the inventory", f.node.Operations, code)
	case code != http.StatusOK || len(f.Roles) == 0:
		return fmt.Errorf("%s/tls answers with status %d and %d roles", f.node.Operations, code, len(f.Roles))
	default:
		f.Fork = true
	}
	return nil
}

// skew compares the Date of an answer (RFC 9110, 6.6.1), which counts whole
// seconds, with the time at which it was given.
func skew(date string, before, after time.Time) (time.Duration, error) {
	at, err := http.ParseTime(date)
	if err != nil {
		return 0, errors.New("the operations service sends no Date: its clock cannot be compared")
	}
	switch {
	case at.Add(time.Second).Before(before):
		return at.Add(time.Second).Sub(before), nil
	case at.After(after):
		return at.Sub(after), nil
	}
	return 0, nil
}

// presented makes a TLCP handshake with a node's service to see the pair that it
// presents. Nothing is verified and nothing sent: what is wrong with the pair is
// found afterwards.
func presented(ctx context.Context, address string) ([]*x509.Certificate, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	var unreadable error
	conn := gmtls.Client(raw, &gmtls.Config{
		InsecureSkipVerify: true, AllowUnpairedCertificates: true, ServerName: host, NextProtos: []string{"h2"}, HandshakeTimeout: operations.AskLimit,
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			for _, der := range chain {
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					unreadable = err
					return err
				}
				certs = append(certs, cert)
			}
			return nil
		},
	})
	// A listener that demands a client certificate ends the handshake after it has shown its own.
	if err := conn.HandshakeContext(ctx); len(certs) < 2 || unreadable != nil {
		if err == nil {
			err = errors.New("it presents no pair")
		}
		return nil, fmt.Errorf("TLCP handshake with %s: %w", address, err)
	}
	return certs, nil
}
