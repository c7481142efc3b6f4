// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// GRPCServer is a gRPC server with its listener.
type GRPCServer struct {
	listener net.Listener
	server   *grpc.Server
	health   *health.Server // nil: no health service
	endpoint *endpoint      // nil: no TLS
	calls    *calls
}

// NewGRPCServer listens on the TCP address and returns a server for it.
func NewGRPCServer(address string, config ServerConfig) (*GRPCServer, error) {
	if address == "" {
		return nil, errors.New("missing address parameter")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	server, err := NewGRPCServerFromListener(listener, config)
	if err != nil {
		listener.Close()
		return nil, err
	}
	return server, nil
}

// maxStreams bounds the calls of one connection at once, as many as Fabric's
// own limits let a service have; a client waits with more. gRPC's default is no
// bound: who opens streams and reads no answer makes a server keep each one.
const maxStreams = 2500

// maxFields bounds the header fields of a call in bytes, unpacked, at twice what
// gRPC will make its default in place of 16 MiB. A field of a few KiB costs who
// sends it one byte each further time, and the server a copy.
const maxFields = 16 << 10

// NewGRPCServerFromListener returns a server for the listener. On an error the
// listener stays open.
func NewGRPCServerFromListener(listener net.Listener, config ServerConfig) (*GRPCServer, error) {
	if config.ConnectionTimeout <= 0 {
		config.ConnectionTimeout = DefaultConnectionTimeout
	}
	s := &GRPCServer{listener: listener, calls: newCalls(config.SecOpts.perAddress())}
	s.calls.most = max(s.calls.most, answersFactor*int64(config.MaxSendMsgSize))
	opts := append(config.KaOpts.ServerKeepaliveOptions(),
		grpc.MaxRecvMsgSize(sizeOr(config.MaxRecvMsgSize, DefaultMaxRecvMsgSize)),
		grpc.MaxSendMsgSize(sizeOr(config.MaxSendMsgSize, DefaultMaxSendMsgSize)),
		grpc.ConnectionTimeout(config.ConnectionTimeout),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxFields),
		grpc.WriteBufferSize(writeBatch),
		grpc.InTapHandle(s.calls.admit),
		grpc.StatsHandler(s.calls),
		grpc.ChainStreamInterceptor(countMessages),
		grpc.ChainStreamInterceptor(config.StreamInterceptors...),
		grpc.ChainUnaryInterceptor(config.UnaryInterceptors...),
	)
	if config.SecOpts.UseTLS {
		e, err := newGRPCEndpoint(listener.Addr(), config)
		if err != nil {
			return nil, err
		}
		s.endpoint, e.calls = e, s.calls
		opts = append(opts, grpc.Creds(newServerCreds(e)))
	} else if err := RefusePlain("the listener at " + listener.Addr().String()); err != nil {
		return nil, err
	}
	if config.ServerStatsHandler != nil {
		opts = append(opts, grpc.StatsHandler(config.ServerStatsHandler))
	}
	s.server = grpc.NewServer(opts...)
	if config.HealthCheckEnabled {
		s.health = health.NewServer()
		healthpb.RegisterHealthServer(s.server, s.health)
	}
	return s, nil
}

func newGRPCEndpoint(addr net.Addr, config ServerConfig) (*endpoint, error) {
	if so := config.SecOpts; so.Source == nil && (so.Key == nil || so.Certificate == nil) {
		return nil, errors.New("serverConfig.SecOpts must contain both Key and Certificate when UseTLS is true")
	}
	e, err := newEndpoint(addr, config.SecOpts, tls.RequestClientCert, alpnProtocols)
	if err != nil {
		return nil, err
	}
	e.timeout = config.ConnectionTimeout
	e.logger = config.Logger
	return e, nil
}

// newEndpoint makes the endpoint of a listener and registers it with its source.
func newEndpoint(addr net.Addr, so SecureOptions, optional tls.ClientAuthType, protos []string) (*endpoint, error) {
	source := so.Source
	if source == nil {
		var err error
		if source, err = fixedSource(so); err != nil {
			return nil, err
		}
	}
	e := &endpoint{
		source: source,
		policy: serverPolicy{
			requireClientCert: so.RequireClientCert,
			optional:          optional,
			verify:            so.VerifyCertificate,
			cipherSuites:      so.CipherSuites,
			timeShift:         so.TimeShift,
			nextProtos:        protos,
		},
		live:    new(TLSConfig),
		conns:   connGroup{role: source.role, listener: addr.String(), source: source},
		guard:   newGuard(source.perAddress),
		timeout: DefaultConnectionTimeout,
	}
	// Roots verify nobody where certificates are merely asked for, as gRPC servers do, and upstream does not read them there.
	if e.policy.clientAuth() != tls.RequestClientCert {
		for _, blob := range so.ClientRootCAs {
			roots, err := parseRootsStrict(blob)
			if err != nil {
				return nil, fmt.Errorf("failed to append client root certificate(s): %w", err)
			}
			e.clientRoots.add(roots)
		}
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	st, err := e.build(source.state.Load())
	if err != nil {
		return nil, err
	}
	e.warnIfUnverifiable(st)
	e.live.state.Store(st)
	source.endpoints[e] = struct{}{}
	if so.Source == nil {
		registry.fixed[source] = struct{}{}
	}
	return e, nil
}

// fixedSource holds the material of options without a source. It can be neither
// reloaded nor switched.
func fixedSource(so SecureOptions) (*Source, error) {
	mode, err := ParseServerMode(string(so.ServerMode))
	if err != nil {
		return nil, err
	}
	listed, _, err := gmProtocols(so.GMProtocols, "")
	if err != nil {
		return nil, fmt.Errorf("comm: %s: %w", roleName(so.Role), err)
	}
	m, err := splitBundle(so.Certificate, so.Key)
	if err != nil {
		return nil, err
	}
	s := newSource(SourceConfig{Role: so.Role, ServerMode: mode})
	s.configured.gmServer = listed
	s.state.Store(&sourceState{
		Material:   m,
		gmServer:   listed,
		serverMode: mode,
	})
	return s, nil
}

// warnIfUnverifiable says so if clients of a protocol that is served cannot be
// verified. Roots often come later, from channel configurations.
func (e *endpoint) warnIfUnverifiable(st *serverState) {
	if !e.policy.requireClientCert {
		return
	}
	if st.std != nil && len(st.roots.std) == 0 {
		commLogger.Warningf("Listener %s at %s requires client certificates and has no client root CA for TLS yet: it refuses every TLS client", roleName(e.conns.role), e.conns.listener)
	}
	if st.gm != nil && len(st.roots.gm) == 0 {
		commLogger.Warningf("Listener %s at %s requires client certificates and has no SM2 client root CA yet: it refuses every TLCP client", roleName(e.conns.role), e.conns.listener)
	}
}

// retire takes the endpoint out of its source.
func (e *endpoint) retire() {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	delete(e.source.endpoints, e)
	delete(registry.fixed, e.source)
}

// Address returns the address that the server listens on.
func (s *GRPCServer) Address() string { return s.listener.Addr().String() }

// Listener returns the listener.
func (s *GRPCServer) Listener() net.Listener { return s.listener }

// Server returns the gRPC server, for registering services.
func (s *GRPCServer) Server() *grpc.Server { return s.server }

// ServerCertificate returns the certificate that the server presents: the one
// for TLS in modes tls and dual, the certificates of the TLCP pair, without its
// keys, in mode gm. It is empty without TLS.
func (s *GRPCServer) ServerCertificate() tls.Certificate {
	if s.endpoint == nil {
		return tls.Certificate{}
	}
	st := s.endpoint.live.state.Load()
	return st.material.serverCertificate(st.mode)
}

// SetServerCertificate replaces the certificate for TLS until the next reload
// of the source. A TLCP pair is replaced by a reload only.
func (s *GRPCServer) SetServerCertificate(cert tls.Certificate) {
	if s.endpoint == nil {
		return
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	s.endpoint.override, s.endpoint.overridden = &cert, s.endpoint.source.state.Load().Std
	if err := s.endpoint.rebuildLocked(); err != nil {
		s.endpoint.override = nil
		commLogger.Errorf("The server certificate at %s was not replaced: %s", s.Address(), err)
	}
}

func (e *endpoint) rebuildLocked() error {
	st, err := e.build(e.source.state.Load())
	if err != nil {
		return err
	}
	e.live.state.Store(st)
	return nil
}

// TLSEnabled reports whether the server speaks TLS or TLCP.
func (s *GRPCServer) TLSEnabled() bool { return s.endpoint != nil }

// MutualTLSRequired reports whether clients must present a certificate.
func (s *GRPCServer) MutualTLSRequired() bool {
	return s.endpoint != nil && s.endpoint.policy.requireClientCert
}

// SetClientRootCAs replaces the authorities that clients are verified by; those
// of the source stay. Each element holds one or more certificates in PEM, of
// either family. An element without a certificate that can be parsed adds
// nothing and is named in the error; the others take effect. If no element is
// usable, the former authorities stay.
func (s *GRPCServer) SetClientRootCAs(clientRoots [][]byte) error {
	if s.endpoint == nil {
		return errors.New("comm: a server without TLS has no client root CAs")
	}
	roots, bad := parseRootBlobs(clientRoots)
	if len(clientRoots) != 0 && len(bad) == len(clientRoots) {
		return errors.New("failed to set client root certificate(s)")
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	s.endpoint.clientRoots = roots
	if err := s.endpoint.rebuildLocked(); err != nil {
		return err
	}
	if len(bad) != 0 {
		return fmt.Errorf("comm: %d of %d client root CAs hold no certificate that can be parsed and are not trusted (indices %v); the others are in effect", len(bad), len(clientRoots), bad)
	}
	return nil
}

// Start serves until Stop.
func (s *GRPCServer) Start() error {
	if s.health != nil {
		for name := range s.server.GetServiceInfo() {
			s.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
		}
		s.health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	}
	return s.server.Serve(s.listener)
}

// Stop closes the listener and all connections.
func (s *GRPCServer) Stop() {
	s.server.Stop()
	if s.endpoint != nil {
		s.endpoint.retire()
	}
}
