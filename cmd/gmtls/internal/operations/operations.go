// SPDX-License-Identifier: Apache-2.0

// Package operations sends requests to the operations services of nodes, over TLS, TLCP or TLS 1.3 with GM suites. [NewService] makes a
// [Service] from the [Access] that an inventory gives; its methods return the node's health, its metrics as [Samples], and the page /tls.
package operations

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/endpoint"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

const (
	// AskLimit ends one request to a node, handshake included.
	AskLimit = 10 * time.Second
	// maxAnswer bounds an answer in bytes. Pages of metrics are the longest.
	maxAnswer = 16 << 20
	// maxPage bounds the others. What a node says in them is compared with all else that it says, and printed.
	maxPage = 1 << 20
)

// Access says how to reach operations services. It is a part of files that operators write.
type Access struct {
	Protocol string   `yaml:"protocol"` // tls, tlcp or tls13-gm
	CA       []string `yaml:"ca"`
	Cert     string   `yaml:"cert"` // for tls
	Key      string   `yaml:"key"`
	SignCert string   `yaml:"signCert"` // the pair, for tlcp and tls13-gm
	SignKey  string   `yaml:"signKey"`
	EncCert  string   `yaml:"encCert"`
	EncKey   string   `yaml:"encKey"`
}

// Complete makes the names of files relative to dir, and checks that services can be verified.
func (a *Access) Complete(dir string) error {
	for _, file := range []*string{&a.Cert, &a.Key, &a.SignCert, &a.SignKey, &a.EncCert, &a.EncKey} {
		*file = Resolve(dir, *file)
	}
	for i := range a.CA {
		a.CA[i] = Resolve(dir, a.CA[i])
	}
	if a.Protocol != "tls" && a.Protocol != "tlcp" && a.Protocol != material.TLS13 {
		return fmt.Errorf("client.protocol is %q; it must be tls, tlcp or %s", a.Protocol, material.TLS13)
	}
	if len(a.CA) == 0 {
		return errors.New("client.ca is empty: the operations services could not be verified")
	}
	return nil
}

// Resolve makes the name of a file relative to dir; an empty one stays empty.
func Resolve(dir, file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// Dialer reaches the service at target, HOST:PORT.
func (a *Access) Dialer(target string) (*endpoint.Dialer, error) {
	d := &endpoint.Dialer{Target: target, Protocol: a.Protocol, CAs: a.CA, ALPN: []string{"http/1.1"}, Timeout: AskLimit}
	if d.Protocol == "tls" {
		d.Own.TLSCert, d.Own.TLSKey = a.Cert, a.Key
	} else {
		d.Own.Cert, d.Own.Key, d.Own.EncCert, d.Own.EncKey = a.SignCert, a.SignKey, a.EncCert, a.EncKey
	}
	return d, d.Prepare()
}

// Service is an operations service.
type Service struct {
	address string
	client  *http.Client
}

// NewService reads the files of a; nothing is dialed yet.
func NewService(a *Access, address string) (*Service, error) {
	d, err := a.Dialer(address)
	if err != nil {
		return nil, err
	}
	return Over(address, AskLimit, func(ctx context.Context) (net.Conn, error) { return d.Dial(ctx) }), nil
}

// Over returns the service that dial connects to, handshake included. The limit ends one request.
func Over(address string, limit time.Duration, dial func(context.Context) (net.Conn, error)) *Service {
	return &Service{address, &http.Client{
		Timeout: limit,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends connections that are not in use.
func (s *Service) Close() { s.client.CloseIdleConnections() }

// Health is what the page /healthz says.
type Health struct {
	Status    string // empty of a server that is not an operations service
	Unhealthy string // components that say they are not well, with their reasons
	Date      string // of the answer, as RFC 9110 has it
}

// Health asks whether the node is healthy.
func (s *Service) Health(ctx context.Context) (Health, error) {
	var page struct {
		Status       string
		FailedChecks []struct{ Component, Reason string } `json:"failed_checks"`
	}
	code, date, err := s.get(ctx, "/healthz", &page)
	health := Health{Status: loglimit.Printable(page.Status), Date: date}
	switch {
	case err != nil || code == http.StatusOK:
		return health, err
	case code != http.StatusServiceUnavailable:
		return health, s.unexpected("/healthz", code)
	}
	failed := []string{}
	for _, c := range page.FailedChecks {
		failed = append(failed, loglimit.Printable(c.Component+": "+c.Reason))
	}
	if health.Unhealthy = strings.Join(failed, "; "); len(failed) == 0 {
		health.Unhealthy = "it says so without a reason"
	}
	return health, nil
}

// Version returns the version of the node and the Date of the answer.
func (s *Service) Version(ctx context.Context) (version, date string, err error) {
	var page struct{ Version string }
	code, date, err := s.get(ctx, "/version", &page)
	if err == nil && code != http.StatusOK {
		err = s.unexpected("/version", code)
	}
	return loglimit.Printable(page.Version), date, err
}

// ErrStock says that a node has no page /tls, as a stock node has none.
var ErrStock = errors.New("the operations service has no page " + tlsstatus.Path + ": the node is not this fork")

// Roles returns the state of the node's roles, of which there is at least one.
func (s *Service) Roles(ctx context.Context) ([]tlsstatus.Role, error) {
	var roles []tlsstatus.Role
	switch code, _, err := s.get(ctx, tlsstatus.Path, &roles); {
	case err != nil:
		return nil, err
	case code == http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", s.address, ErrStock)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return nil, fmt.Errorf("%w: it does not accept the client certificate that client.cert or client.signCert names", s.unexpected(tlsstatus.Path, code))
	case code != http.StatusOK:
		return nil, s.unexpected(tlsstatus.Path, code)
	case len(roles) == 0:
		return nil, fmt.Errorf("%s%s names no role", s.address, tlsstatus.Path)
	}
	return roles, nil
}

// Reload makes all roles load their files again.
func (s *Service) Reload(ctx context.Context) error {
	code, _, answer, err := s.do(ctx, http.MethodPost, tlsstatus.Path, maxPage)
	if err != nil || code == http.StatusOK {
		return err
	}
	var failure tlsstatus.Failure
	if json.Unmarshal(answer, &failure) != nil { // not by the node, but by what is in front of it
		failure.Error = string(answer)
	}
	return fmt.Errorf("%w: %s", s.unexpected("POST "+tlsstatus.Path, code), loglimit.Printable(strings.TrimSpace(failure.Error)))
}

// Metrics fetches the page of metrics.
func (s *Service) Metrics(ctx context.Context) (Samples, error) {
	code, _, body, err := s.do(ctx, http.MethodGet, "/metrics", maxAnswer)
	if err == nil && code != http.StatusOK {
		err = s.unexpected("/metrics", code)
	}
	return body, err
}

func (s *Service) unexpected(page string, code int) error {
	return fmt.Errorf("%s%s answers with status %d", s.address, page, code)
}

// Samples is a page of metrics in the text format of Prometheus.
type Samples []byte

// Value returns the value of the series with the name and the label, or -1 if there is none.
func (s Samples) Value(name, label string) float64 {
	lines := bufio.NewScanner(bytes.NewReader(s))
	for lines.Scan() {
		series, number, ok := strings.Cut(lines.Text(), "} ")
		labels, named := strings.CutPrefix(series, name+"{")
		if !ok || !named || !strings.Contains(","+labels+",", ","+label+",") {
			continue
		}
		if v, err := strconv.ParseFloat(number, 64); err == nil {
			return v
		}
	}
	return -1
}

// get fetches a page of JSON into a value; a page of another status than 200 and 503 is not read. It returns the status and the
// Date of the answer.
func (s *Service) get(ctx context.Context, page string, into any) (code int, date string, err error) {
	code, date, body, err := s.do(ctx, http.MethodGet, page, maxPage)
	if err != nil || code != http.StatusOK && code != http.StatusServiceUnavailable {
		return code, date, err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return code, date, fmt.Errorf("%s%s: %w", s.address, page, err)
	}
	return code, date, nil
}

// do sends a request and reads the answer, of so many bytes at most.
func (s *Service) do(ctx context.Context, method, page string, most int) (code int, date string, answer []byte, err error) {
	// http, since the transport makes the handshake itself.
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+page, nil)
	if err != nil {
		return 0, "", nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, "", nil, fmt.Errorf("%s: %w", s.address, unwrapURL(err))
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, int64(most)+1))
	if err == nil && len(answer) > most {
		err = fmt.Errorf("the answer is longer than %d MiB", most>>20)
	}
	if err != nil {
		return 0, "", nil, fmt.Errorf("%s%s: %w", s.address, page, err)
	}
	return response.StatusCode, response.Header.Get("Date"), answer, nil
}

// unwrapURL takes the address that net/http puts in front away, since it says http where it is not.
func unwrapURL(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
