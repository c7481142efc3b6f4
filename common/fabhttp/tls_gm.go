// SPDX-License-Identifier: Apache-2.0

package fabhttp

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// TLS holds what the server needs for TLCP (GB/T 38636) in addition to TLS. All fields may be absent: the server then speaks TLS
// alone, as in stock Fabric.
//
//fork:fields gm: the operations server serves TLCP and takes certificate pairs
type TLS struct {
	// Role names the server in the registry of live TLS material, by which its files are reloaded and its mode is switched
	// while it runs; "http" and the address when empty.
	Role string
	// Mode is "tls" (also when empty), "dual" or "gm"; ModeKey is the configuration key that gives it, for messages.
	Mode    string
	ModeKey string
	// RootCACertFiles name the files of the roots to which the server's own certificates lead, if they are given.
	RootCACertFiles []string
	// ConfigKeys are the configuration keys that give the files, by file, for messages.
	ConfigKeys map[string]string
	// GMSignCertFile and the next three name the PEM files of the SM2 signing and encryption pairs. All four or none.
	GMSignCertFile string
	GMSignKeyFile  string
	GMEncCertFile  string
	GMEncKeyFile   string
	// GMKeyPasswordFile holds in its first line the password of the two keys, if they are encrypted.
	GMKeyPasswordFile string
	// GMCipherSuites are the TLCP suites to accept, by their names in the standard, best first; empty: all.
	GMCipherSuites []string
	// GMProtocols are what the GM modes mean: "TLCP", "TLS13"; empty: TLCP. GMProtocolsKey is the configuration key that gives them.
	GMProtocols    []string
	GMProtocolsKey string
	// GMHybrid makes TLS 1.3 prefer the hybrid key exchange with ML-KEM.
	GMHybrid bool
	// DrainGrace is how long connections of an abolished protocol may continue after a live switch; 0 means 60 s.
	DrainGrace time.Duration
	// CheckRevocation and RevocationListFiles are those of comm.
	CheckRevocation     bool
	RevocationListFiles []string
	// HandshakesPerAddress bounds the failed handshakes of one address; 0 means the default of comm.
	HandshakesPerAddress int
	// ClockShift sets the clock of certificate verification back. Fabric 3.1.5 calls it TimeShift.
	ClockShift time.Duration
}

// Listen opens the port with the protocols of the server's mode.
//
//fork:replace gm: the operations server serves TLS, TLCP or both
func (s *Server) Listen() (net.Listener, error) {
	if !s.options.TLS.Enabled {
		if err := comm.RefusePlain("the HTTP server at " + s.options.ListenAddress); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", s.options.ListenAddress)
	if err != nil || !s.options.TLS.Enabled {
		return listener, err
	}
	secure, err := s.options.TLS.listen(listener)
	if err != nil {
		listener.Close()
		if section := s.options.TLS.section(); section != "" && s.options.TLS.ConfigKeys == nil {
			err = fmt.Errorf("%s: %w", section, err)
		}
		return nil, err
	}
	return secure, nil
}

// initializeServer lets handlers find the client's verified chains in the request's TLS field under TLCP as under TLS.
// net/http fills the field for connections of crypto/tls alone.
//
//fork:wrap gm: hand the TLS state of every connection to the handlers; the header of a request is bounded
func (s *Server) initializeServer() {
	s.upstreamInitializeServer()
	comm.PrepareHTTP(s.httpServer, s.mux)
}

// HandlerChain records what changes a node before it is done: it may be that nothing is logged any more. Upstream refuses a
// client without a verified certificate before the handler sees its request. This is recorded too. So are requests that a web page
// of another site made a browser send.
//
//fork:wrap gm: requests of operators are security events, and do not come from web pages of other sites
func (s *Server) HandlerChain(h http.Handler, secure bool) http.Handler {
	chain := s.upstreamHandlerChain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if changes(r) {
			operator, record := "", audit.Bounded
			if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
				operator = r.TLS.PeerCertificates[0].Subject.String()
			}
			if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
				record = audit.Record // strangers, who fill the window, must not keep the lines of operators out
			}
			record(audit.OperatorRequest, "method", r.Method, "path", r.URL.Path, "operator", operator, "address", r.RemoteAddr)
		}
		h.ServeHTTP(w, r)
	}), secure)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if secure && changes(r) && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0) {
			audit.Bounded(audit.OperatorRefused, "method", r.Method, "address", r.RemoteAddr, "reason", "no verified client certificate")
		} else if err := fromElsewhere(r); err != nil {
			audit.Bounded(audit.OperatorRefused, "method", r.Method, "address", r.RemoteAddr, "reason", err.Error())
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		chain.ServeHTTP(w, r)
	})
}

// changes reports whether a request is to change a node.
func changes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// fromElsewhere refuses a change that a web page of another site asks for. A browser shows an operator's certificate for whatever page has
// it post here, a channel to join or to leave for example, though the page does not see the answer.
func fromElsewhere(r *http.Request) error { return new(http.CrossOriginProtection).Check(r) }

// section is the part of the configuration that the settings come from, for messages.
func (t TLS) section() string {
	if at := strings.LastIndexByte(t.ModeKey, '.'); at > 0 {
		return t.ModeKey[:at]
	}
	return ""
}

func (t TLS) listen(inner net.Listener) (net.Listener, error) {
	mode, err := comm.ParseServerMode(t.Mode)
	if err != nil {
		return nil, err
	}
	files := comm.Files{
		Cert: t.CertFile, Key: t.KeyFile,
		SignCert: t.GMSignCertFile, SignKey: t.GMSignKeyFile,
		EncCert: t.GMEncCertFile, EncKey: t.GMEncKeyFile,
		GMKeyPassword: t.GMKeyPasswordFile,
		ClientRootCAs: t.ClientCACertFiles, ServerRootCAs: t.RootCACertFiles,
		RevocationLists: t.RevocationListFiles,
		ConfigKeys:      t.ConfigKeys,
	}
	role := t.Role
	if role == "" {
		role = "http " + inner.Addr().String()
	}
	source, err := comm.NewSource(comm.SourceConfig{
		Role: role, Load: files.Load, ServerMode: mode, ModeKey: t.ModeKey,
		GMCipherSuites: t.GMCipherSuites, GMProtocols: t.GMProtocols, GMProtocolsKey: t.GMProtocolsKey, GMHybrid: t.GMHybrid,
		DrainGrace: t.DrainGrace, HandshakesPerAddress: t.HandshakesPerAddress,
		CheckRevocation: t.CheckRevocation,
	})
	var missing *fs.PathError
	if t.GMSignCertFile == "" && t.ConfigKeys == nil && errors.As(err, &missing) {
		return nil, missing // upstream's own error, where nobody has said which key gives the file
	}
	if err != nil {
		return nil, err
	}
	return comm.NewHTTPListener(inner, comm.SecureOptions{
		UseTLS: true, RequireClientCert: t.ClientCertRequired, CipherSuites: comm.DefaultTLSCipherSuites, Source: source,
		TimeShift: t.ClockShift,
	})
}
