// SPDX-License-Identifier: Apache-2.0

// Package health asks the operations service of a node on this machine whether the node is healthy. It implements "peer --health" and
// "orderer --health", for containers that contain only the node's binary.
//
// The server must present exactly the certificate that the node's configuration names. No CA is consulted, so the check works with any CA, and
// another program on the port is not mistaken for the node.
package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// Flag is the only argument with which a node's binary checks health instead of doing its work.
const Flag = "--health"

const (
	limit   = 5 * time.Second
	maxBody = 64 << 10
)

// Service is a node's operations service as its configuration describes it.
type Service struct {
	Address string // host:port it listens on; an unspecified host means any address of this machine
	TLS     bool
	Mode    string // tls (also when empty), dual or gm
	// Protocols are what gm is there: TLCP, also when empty, TLS13, or both. The check tries the first one first.
	Protocols []string
	// ClientAuth says that the service demands a certificate of its clients. Then it must accept the node's own. Otherwise none is
	// presented, because a service that demands none also refuses one that its roots do not verify.
	ClientAuth bool

	// Load reads the certificates and keys as the node does: those for TLS, and the TLCP pair. It is called if TLS is on.
	Load func() (*tls.Certificate, *gmtls.Certificate, error)
}

// Requested reports whether the command line asks for a health check.
func Requested(args []string) bool { return len(args) == 2 && args[1] == Flag }

// Exit checks the service that load finds and ends the process: with 0 if it is well, otherwise with 1 and the
// reason on standard error.
func Exit(load func() (Service, error)) {
	service, err := load()
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		err = service.Check(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "not healthy:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Check returns nil if the service answers that the node is well.
func (s Service) Check(ctx context.Context) error {
	address, err := s.dialAddress()
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	url := "http://" + address + "/healthz"
	if s.TLS {
		url = "https://" + address + "/healthz"
		if transport.DialTLSContext, err = s.dialer(); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("operations service at %s: %w", address, err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("operations service: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return fmt.Errorf("operations service at %s: %w", address, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("operations service at %s: %s: %s", address, resp.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

func (s Service) dialAddress() (string, error) {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return "", fmt.Errorf("operations listen address %q: %w", s.Address, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer makes connections by a protocol for which the node has a certificate, the configured one first. A running node can be
// switched to another protocol, and its configuration does not say so. Trying them is no downgrade: by each, the server must have
// the node's own certificate.
func (s Service) dialer() (dialFunc, error) {
	standard, pair, err := s.Load()
	switch {
	case err != nil:
		return nil, fmt.Errorf("certificate of the operations service: %w", err)
	case s.Mode == "gm" && pair == nil:
		return nil, errors.New("the operations service has mode gm, and no TLCP pair is configured for it")
	case s.Mode != "gm" && standard == nil:
		return nil, errors.New("no certificate for TLS is configured for the operations service")
	}
	var dials []dialFunc
	if pair != nil {
		dials = []dialFunc{s.dialGM(pair, gmtls.VersionTLCP), s.dialGM(pair, gmtls.VersionTLS13)}
		if len(s.Protocols) > 0 && s.Protocols[0] == "TLS13" {
			slices.Reverse(dials)
		}
	}
	switch {
	case standard == nil:
	case s.Mode == "gm":
		dials = append(dials, s.dialTLS(standard))
	default:
		dials = slices.Insert(dials, 0, s.dialTLS(standard))
	}
	return firstOf(dials), nil
}

// firstOf tries one protocol after another. It ends when no protocol can help: nothing listens, another program does, or the time is
// over.
func firstOf(dials []dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var all []error
		for _, dial := range dials {
			conn, err := dial(ctx, network, address)
			if err == nil {
				return conn, nil
			}
			all = append(all, err)
			if op := (*net.OpError)(nil); errors.Is(err, errStranger) || errors.As(err, &op) && op.Op == "dial" || ctx.Err() != nil {
				break
			}
		}
		return nil, errors.Join(all...)
	}
}

var errStranger = errors.New("what answers on the port has another certificate than the files that the configuration names: it is not this node, or " +
	"this node has not reloaded them since they were renewed (POST /tls)")

func (s Service) dialTLS(own *tls.Certificate) dialFunc {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection compares the certificate itself
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, own.Certificate[0]) {
				return errStranger
			}
			return nil
		},
	}
	if s.ClientAuth {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	}
	return (&tls.Dialer{Config: config}).DialContext
}

func (s Service) dialGM(own *gmtls.Certificate, version uint16) dialFunc {
	config := &gmtls.Config{
		Versions:           []uint16{version},
		InsecureSkipVerify: true, // VerifyConnection compares the certificate itself
		VerifyConnection: func(state gmtls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, own.Certificate[0]) {
				return errStranger
			}
			return nil
		},
	}
	if s.ClientAuth {
		config.GetClientCertificate = func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) { return own, nil }
	}
	return (&gmtls.Dialer{Config: config}).DialContext
}
