// SPDX-License-Identifier: Apache-2.0

package operations

import (
	stderrors "errors"
	"io/fs"
	"net"
	"net/http"

	"github.com/pkg/errors"

	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/pkg/comm/tlsadmin"
)

// Options are the settings of the operations server.
//
//fork:fields gm: who may reload certificates by /tls
type Options struct {
	// Operators are the SHA-256 fingerprints of the certificates of clients that may make changes by /tls; none: nobody may.
	Operators []string
}

// Start opens the operations server.
//
//fork:wrap gm: /tls shows and reloads certificates, and the metrics of connections are those of nodes
func (s *System) Start() error {
	operators, err := tlsadmin.ParseOperators(s.options.Operators)
	if err != nil {
		return errors.WithMessage(err, "operations.operators")
	}
	handler := tlsadmin.NewHandler(operators)
	if s.options.TLS.Enabled {
		handler = known(handler)
	}
	s.mux.Handle(tlsstatus.Path, handler)
	tlsadmin.RegisterKeyHealth(s)
	comm.UseMetrics(s)
	s.httpServer.Handler = comm.HTTPHandler(s.mux)
	s.httpServer.ConnContext = comm.HTTPConnContext
	return s.upstreamStart()
}

// known demands a verified certificate of the client, as nodes do.
func known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			http.Error(w, "a client certificate is needed, which operations.tls.clientcacertfiles verify", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// listen opens the port.
//
//fork:replace gm: the operations server has a listener like those of nodes, whose certificates are reloaded
func (s *System) listen() (net.Listener, error) {
	inner, err := net.Listen("tcp", s.options.ListenAddress)
	if err != nil || !s.options.TLS.Enabled {
		return inner, err
	}
	c := &s.options.TLS
	files := comm.Files{Cert: c.CertFile, Key: c.KeyFile, ClientRootCAs: c.ClientCACertFiles}
	source, err := comm.NewSource(comm.SourceConfig{Role: tlsstatus.CAOperations, Load: files.Load, ServerMode: comm.ModeTLS, ModeKey: "operations.tls"})
	if err == nil {
		var listener net.Listener
		listener, err = comm.NewHTTPListener(inner, comm.SecureOptions{UseTLS: true, RequireClientCert: c.ClientCertRequired, Source: source})
		if err == nil {
			return listener, nil
		}
	}
	inner.Close()
	if missing := (*fs.PathError)(nil); stderrors.As(err, &missing) {
		return nil, missing // upstream's own error, which names the file
	}
	return nil, errors.WithMessage(err, "operations.tls")
}
