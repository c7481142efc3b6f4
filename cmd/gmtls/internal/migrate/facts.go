// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/operations"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// asking is how many nodes are asked at a time.
const asking = 16

// facts is what a node tells about itself.
type facts struct {
	Name         string           `json:"name"`
	Organization string           `json:"organization"`
	Problem      string           `json:"problem,omitempty"` // why it could not be asked
	Version      string           `json:"version,omitempty"`
	Fork         bool             `json:"fork"`                // its operations service has /tls
	Unhealthy    string           `json:"unhealthy,omitempty"` // components that say so, with the reason
	Skew         time.Duration    `json:"clock_skew_ns"`       // its clock minus this machine's, to about a second
	Roles        []tlsstatus.Role `json:"roles,omitempty"`
	Stage        int              `json:"stage"` // see stageOf

	node *node
	pair []*x509.Certificate // what it presents at its address by gmVersion: signing, in TLCP encryption, chain
	// pairProblem says why there is no pair.
	pairProblem error
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
		f.Problem = loglimit.Printable(err.Error())
	}
	if version := f.gmVersion(); version != 0 {
		f.pair, f.pairProblem = presented(ctx, n.Address, version)
	}
	f.Stage = stageOf(f)
	return f
}

// gmVersion is the GM protocol by which the listeners of the node's service can be asked: TLCP, which shows the whole pair, where
// they speak it, else TLS 1.3, or 0.
func (f *facts) gmVersion() (version uint16) {
	for _, r := range f.inGM(true) {
		if len(r.GMProtocols) == 0 || slices.Contains(r.GMProtocols, "TLCP") {
			return gmtls.VersionTLCP
		}
		version = gmtls.VersionTLS13
	}
	return version
}

// operations asks the operations service.
func (f *facts) operations(ctx context.Context, org *organization) error {
	s, err := operations.NewService(&org.Client, f.node.Operations)
	if err != nil {
		return fmt.Errorf("client of %s: %w", f.node.org, err)
	}
	defer s.Close()
	before := time.Now()
	version, date, err := s.Version(ctx)
	if err != nil {
		return err
	}
	f.Version = version
	if f.Skew, err = skew(date, before, time.Now()); err != nil {
		return err
	}
	health, err := s.Health(ctx)
	if err != nil {
		return err
	}
	f.Unhealthy = health.Unhealthy
	f.Roles, err = s.Roles(ctx)
	if errors.Is(err, operations.ErrStock) {
		return nil
	}
	f.Fork = err == nil
	return err
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
func presented(ctx context.Context, address string, version uint16) ([]*x509.Certificate, error) {
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
	leaves := map[uint16]int{gmtls.VersionTLCP: 2, gmtls.VersionTLS13: 1}[version]
	conn := gmtls.Client(raw, &gmtls.Config{
		Versions:           []uint16{version},
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
	if err := conn.HandshakeContext(ctx); len(certs) < leaves || unreadable != nil {
		if err == nil {
			err = errors.New("it presents no pair")
		}
		return nil, fmt.Errorf("%s handshake with %s: %w", gmtls.VersionName(version), address, err)
	}
	return certs, nil
}
