// SPDX-License-Identifier: Apache-2.0

package operations

import (
	stderrors "errors"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"github.com/hyperledger/fabric-lib-go/healthz"
	"github.com/pkg/errors"

	stls "github.com/hyperledger/fabric-ca/lib/tls"
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

// TLS is the security of the operations server.
//
//fork:fields gm: the operations server speaks TLCP
type TLS struct {
	// Mode is "tls" (also when empty), "gm" for TLCP alone, or "dual" for both.
	Mode string
	// GMProtocols are what gm is there: TLCP, also when empty, TLS13, or both.
	GMProtocols []string
	// GM names the files of the TLCP pair; none: that of the CA's own listener.
	GM stls.GMKeyCertFiles
}

// LacksPair reports whether the server speaks TLCP and no pair is named for it.
func (t *TLS) LacksPair() bool { return t.Enabled && comm.ServerMode(t.Mode).GM() && !t.GM.Any() }

// UsePair names the files of the TLCP pair. It counts before Start.
func (s *System) UsePair(files stls.GMKeyCertFiles) { s.options.TLS.GM = files }

// Start opens the operations server.
//
//fork:wrap gm: /tls shows and reloads certificates, and the metrics of connections and the bound of headers are those of nodes
func (s *System) Start() error {
	operators, err := tlsadmin.ParseOperators(s.options.Operators)
	if err != nil {
		return errors.WithMessage(err, "operations.operators")
	}
	for path, handler := range map[string]http.Handler{
		tlsstatus.Path: tlsadmin.NewHandler(tlsstatus.CAOperations, operators), tlsstatus.SelfTestPath: tlsadmin.NewSelfTestHandler(operators),
	} {
		if s.options.TLS.Enabled {
			handler = requireClientCertificate(handler)
		}
		s.mux.Handle(path, handler)
	}
	tlsadmin.RegisterKeyHealth(s)
	comm.UseMetrics(s)
	comm.PrepareHTTP(s.httpServer, s.mux)
	return s.upstreamStart()
}

// initializeHealthCheckHandler answers /healthz as nodes do.
//
//fork:replace fix: requests for /healthz share one run of the checks, and clients that leave early leave nothing behind
func (s *System) initializeHealthCheckHandler() {
	s.healthHandler = healthz.NewHealthHandler()
	s.mux.Handle("/healthz", tlsadmin.NewHealthHandler(s.healthHandler))
}

// requireClientCertificate demands a verified certificate of the client, as nodes do.
func requireClientCertificate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			http.Error(w, "a client certificate is needed, which operations.tls.clientcacertfiles verify", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback is where the operations server listens if no address is configured: upstream's takes any port of every interface, and has
// no TLS by default.
const loopback = "127.0.0.1:0"

// listen opens the port.
//
//fork:replace gm: the operations server has a listener like those of nodes, whose certificates are reloaded; without an address it listens only on loopback
func (s *System) listen() (net.Listener, error) {
	c := &s.options.TLS
	mode, err := c.mode()
	if err != nil {
		return nil, err
	}
	address := s.options.ListenAddress
	if address == "" {
		address = loopback
	}
	inner, err := net.Listen("tcp", address)
	if stderrors.Is(err, syscall.EADDRINUSE) {
		return nil, errors.WithMessage(err, "operations.listenAddress: another program has this port, perhaps a peer, whose operations server has the same "+
			"default; set operations.listenAddress or FABRIC_CA_SERVER_OPERATIONS_LISTENADDRESS to a free one")
	}
	if err != nil {
		return nil, errors.WithMessage(err, "operations.listenAddress")
	}
	if !c.Enabled {
		return inner, nil
	}
	secure, err := c.listen(inner, mode)
	if err == nil {
		return secure, nil
	}
	inner.Close()
	if missing := (*fs.PathError)(nil); c.Mode == "" && stderrors.As(err, &missing) {
		return nil, missing // upstream's own error, which names the file
	}
	return nil, errors.WithMessage(err, "operations.tls")
}

// mode refuses what is not a mode, and TLCP that would go without protection.
func (t *TLS) mode() (comm.ServerMode, error) {
	mode, err := comm.ParseServerMode(t.Mode)
	if err != nil {
		return "", errors.WithMessage(err, "operations.tls.mode")
	}
	if err := comm.CheckGMProtocols(t.GMProtocols, ""); err != nil {
		return "", errors.WithMessage(err, "operations.tls.gmprotocols")
	}
	if !t.Enabled && mode.GM() {
		return "", errors.Errorf("operations.tls.mode is %q, but operations.tls.enabled is false: the operations server would listen without protection", t.Mode)
	}
	return mode, nil
}

func (t *TLS) listen(inner net.Listener, mode comm.ServerMode) (net.Listener, error) {
	files := comm.Files{ClientRootCAs: t.ClientCACertFiles}
	if mode.TLS() {
		files.Cert, files.Key = t.CertFile, t.KeyFile
	}
	if mode.GM() {
		files.SignCert, files.SignKey, files.EncCert, files.EncKey = t.GM.SignCert, t.GM.SignKey, t.GM.EncCert, t.GM.EncKey
	}
	files = files.Named("operations.tls.cert.file", files.Cert, "operations.tls.key.file", files.Key,
		"operations.tls.gm.signcert", files.SignCert, "operations.tls.gm.signkey", files.SignKey,
		"operations.tls.gm.enccert", files.EncCert, "operations.tls.gm.enckey", files.EncKey)
	source, err := comm.NewSource(comm.SourceConfig{
		Role: tlsstatus.CAOperations, Load: files.Load, ServerMode: mode, ModeKey: "operations.tls.mode", GMProtocols: t.GMProtocols, GMProtocolsKey: "operations.tls.gmprotocols",
	})
	if err != nil {
		return nil, err
	}
	return comm.NewHTTPListener(inner, comm.SecureOptions{UseTLS: true, RequireClientCert: t.ClientCertRequired, Source: source})
}
