// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Default limits on the size of a gRPC message in bytes.
const (
	DefaultMaxRecvMsgSize = 100 << 20
	DefaultMaxSendMsgSize = 100 << 20
)

// DefaultKeepaliveOptions suit connections between nodes. The server permits
// pings as often as the client sends them.
var DefaultKeepaliveOptions = KeepaliveOptions{
	ClientInterval:    time.Minute,
	ClientTimeout:     20 * time.Second,
	ServerInterval:    2 * time.Hour,
	ServerTimeout:     20 * time.Second,
	ServerMinInterval: time.Minute,
}

// DefaultTLSCipherSuites are the suites of TLS 1.2 that servers accept if a
// configuration names none. Those of TLS 1.3 and of TLCP have their own lists.
var DefaultTLSCipherSuites = []uint16{
	// Forward secrecy, either kind of certificate; then RSA key transport,
	// which upstream accepts.
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
}

// DefaultConnectionTimeout bounds the time from accepting a connection to the
// end of its handshakes if a configuration sets no limit.
var DefaultConnectionTimeout = 5 * time.Second

// ServerConfig configures a GRPCServer.
type ServerConfig struct {
	// ConnectionTimeout bounds the time from accepting a connection to the end
	// of its handshakes; zero means DefaultConnectionTimeout.
	ConnectionTimeout time.Duration
	SecOpts           SecureOptions
	KaOpts            KeepaliveOptions
	// StreamInterceptors and UnaryInterceptors run in order, the first
	// outermost.
	StreamInterceptors []grpc.StreamServerInterceptor
	UnaryInterceptors  []grpc.UnaryServerInterceptor
	// Logger gets the outcome of handshakes; nil means the logger comm.tls.
	Logger *flogging.FabricLogger
	// HealthCheckEnabled registers the gRPC health service.
	HealthCheckEnabled bool
	// ServerStatsHandler counts connections; nil means no count.
	ServerStatsHandler *ServerStatsHandler
	// MaxRecvMsgSize and MaxSendMsgSize are in bytes; zero means the defaults.
	MaxRecvMsgSize int
	MaxSendMsgSize int
}

func sizeOr(size, standard int) int {
	if size == 0 {
		return standard
	}
	return size
}

// DialOptions returns the configuration in gRPC's form. It fails if the
// security options do not fit their present mode.
func (cc ClientConfig) DialOptions() ([]grpc.DialOption, error) {
	creds := insecure.NewCredentials()
	if cc.SecOpts.UseTLS {
		d := newOptionsDialer(cc.SecOpts, alpnProtocols)
		st, err := d.current()
		if err != nil {
			return nil, err
		}
		creds = &DynamicClientCredentials{
			TLSConfig: st.std,
			dialer:    d,
			// The name of the options also makes the :authority of calls.
			serverName: cc.SecOpts.ServerNameOverride,
		}
	} else if err := RefusePlain("a connection for which TLS is turned off"); err != nil {
		return nil, err
	}
	opts := append(cc.KaOpts.ClientKeepaliveOptions(),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(sizeOr(cc.MaxRecvMsgSize, DefaultMaxRecvMsgSize)),
			grpc.MaxCallSendMsgSize(sizeOr(cc.MaxSendMsgSize, DefaultMaxSendMsgSize)),
		),
		grpc.WithTransportCredentials(creds),
		BoundAnswers(),
	)
	if cc.DialTimeout > 0 {
		opts = append(opts, grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: reconnection, MinConnectTimeout: cc.DialTimeout,
		}))
	}
	if !cc.AsyncConnect {
		opts = append(opts, grpc.WithBlock(), grpc.FailOnNonTempDialError(true))
	}
	return append(opts, cc.reconnecting()...), nil
}

// reconnection spaces the attempts at a connection that has failed. gRPC's own
// pauses grow to two minutes, for which a node that has come back would stay
// cut off.
var reconnection = backoff.Config{
	BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second,
}

// Dial connects to the address.
func (cc ClientConfig) Dial(address string) (*grpc.ClientConn, error) {
	opts, err := cc.DialOptions()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), cc.DialTimeout)
	defer cancel()
	conn, err := grpc.DialContext(ctx, address, opts...)
	if err != nil {
		return nil, fmt.Errorf("failed to create new connection: %w", err)
	}
	return conn, nil
}

// SecureOptions are the security parameters of a server or of a client.
type SecureOptions struct {
	// VerifyCertificate, if not nil, is called after the normal verification
	// with the DER certificates of the peer (TLCP: signing, encryption, chain)
	// and the verified chains of the first. Its error aborts the handshake.
	VerifyCertificate func(rawCerts [][]byte, verifiedChains [][]*x509.Certificate) error
	// Certificate and Key are PEM bundles: the chain for TLS, then the SM2
	// signing and encryption certificates. Either family may be absent.
	Certificate []byte
	Key         []byte
	// Material are the pairs of a client without a Source, read already. It goes
	// before Certificate and Key; its roots are not used.
	Material *Material
	// ServerRootCAs are the authorities, in PEM, by which a client verifies
	// servers; ClientRootCAs those by which a server verifies clients. Both
	// families may be mixed.
	ServerRootCAs [][]byte
	ClientRootCAs [][]byte
	// UseTLS turns security on, TLS or TLCP as the mode says.
	UseTLS bool
	// RequireClientCert makes a server demand and verify a certificate, and a
	// client present one.
	RequireClientCert bool
	// CipherSuites are the suites of TLS 1.2 and of TLCP that a server
	// accepts and the suites of TLCP that a client offers. A family without
	// any has its defaults.
	CipherSuites []uint16
	// TimeShift sets the clock of certificate verification back.
	TimeShift time.Duration
	// ServerNameOverride is the name that the server's certificate must carry
	// and that is sent to it, in place of the host that is dialed.
	ServerNameOverride string

	// Source is the live material and mode. If it is set, Certificate, Key and
	// Material are not used, ServerMode neither, and its roots are added to those
	// above. If it is nil, a client looks for the source that presents
	// Certificate, so that options that were rebuilt from bytes stay live.
	Source *Source
	// Role names a listener without Source in status, metrics and messages.
	Role string
	// ServerMode is the mode of a listener without Source; empty means tls.
	ServerMode ServerMode
	// GMProtocols are those of a listener without Source, as in SourceConfig.
	GMProtocols []string
	// ClientMode is the mode of this client and goes before that of the
	// source; empty means the source's, and tls without a source.
	ClientMode ClientMode
	// GMClientProtocol is what this client speaks in mode gm, "TLCP" or "TLS13",
	// and goes before that of the source; empty means the source's, and TLCP
	// without a source.
	GMClientProtocol string
}

// source returns the source of a client with these options, or nil.
func (so SecureOptions) source() *Source {
	if so.Source != nil {
		return so.Source
	}
	return sourceOf(so.Certificate)
}

// perAddress returns the HandshakesPerAddress of a listener with these options.
func (so SecureOptions) perAddress() int {
	if so.Source == nil {
		return 0
	}
	return so.Source.perAddress
}

func roleOf(s *Source) string {
	if s == nil {
		return ""
	}
	return s.role
}

// clientMode returns the mode of a client whose source, if any, is in state of.
func (so SecureOptions) clientMode(of *sourceState) ClientMode {
	switch {
	case so.ClientMode != "":
		return so.ClientMode
	case of != nil && of.clientMode != "":
		return of.clientMode
	}
	return ClientTLS
}

// present returns the role, state and mode that the next client handshake takes.
func (so SecureOptions) present() (role string, of *sourceState, mode ClientMode) {
	if source := so.source(); source != nil {
		role, of = source.role, source.state.Load()
	}
	return role, of, so.clientMode(of)
}

// TLSConfig returns the configuration of a client in mode tls, nil without
// UseTLS. It is an error in mode gm.
func (so SecureOptions) TLSConfig() (*tls.Config, error) {
	if !so.UseTLS {
		return nil, nil
	}
	role, of, mode := so.present()
	if mode == ClientGM {
		return nil, fmt.Errorf("comm: dialer %s is in mode gm: there is no TLS configuration", roleName(role))
	}
	st, err := so.clientState(role, of)
	if err != nil {
		return nil, err
	}
	return st.std, nil
}

// ClientCertificate returns the certificate that a client with these options
// presents at its next handshake. In mode gm it has the certificates of the TLCP
// pair (signing, encryption, chain) and no key.
func (so SecureOptions) ClientCertificate() (tls.Certificate, error) {
	role, of, mode := so.present()
	m, err := so.material(of)
	if err != nil {
		return tls.Certificate{}, err
	}
	return m.clientCertificate(role, mode)
}

// BindingHash returns the SHA-256, in DER, of the certificate that a client
// with these options presents at its next handshake: what servers compare with
// the TLS certificate hash of an envelope. It is nil if none is presented.
func (so SecureOptions) BindingHash() []byte {
	if !so.UseTLS || !so.RequireClientCert {
		return nil
	}
	cert, err := so.ClientCertificate()
	if err != nil {
		return nil
	}
	return leafHash(cert.Certificate)
}

// material returns the pairs of a client whose source, if any, is in state of.
func (so SecureOptions) material(of *sourceState) (Material, error) {
	if of != nil {
		return of.Material, nil
	}
	if so.Material != nil {
		return *so.Material, nil
	}
	if so.Key == nil || so.Certificate == nil {
		return Material{}, errors.New("both Key and Certificate are required when using mutual TLS")
	}
	m, err := splitBundle(so.Certificate, so.Key)
	if err != nil {
		return Material{}, fmt.Errorf("failed to create key pair: %w", err)
	}
	return m, nil
}

// clientState makes the state of a client whose source, if any, has the role
// and is in state of.
func (so SecureOptions) clientState(role string, of *sourceState) (*clientState, error) {
	mode := so.clientMode(of)
	roots, err := so.serverRoots(of)
	if err != nil {
		return nil, err
	}
	if err := checkRoots(role, mode, roots); err != nil {
		return nil, err
	}
	var own Material
	if so.RequireClientCert {
		if own, err = so.material(of); err == nil {
			_, err = own.clientCertificate(role, mode)
		}
		if err != nil {
			return nil, fmt.Errorf("failed to load client certificate: %w", err)
		}
	}
	proto, err := so.protocol(mode, of)
	if err != nil {
		return nil, err
	}
	st := &clientState{protocol: proto, hash: own.hash(proto)}
	if mode == ClientGM {
		_, suites := splitSuites(so.CipherSuites)
		if len(suites) == 0 && of != nil {
			suites = of.gmSuites
		}
		if proto == protocolTLCP && own.GM == nil && onlyECDHE(suites) {
			return nil, fmt.Errorf("comm: dialer %s offers only ECDHE suites, which need a client certificate, and presents none; require client authentication or add an ECC suite", roleName(role))
		}
		st.gm = &gmtls.Config{
			Rand:                  gm.Random(),
			ServerName:            so.ServerNameOverride,
			Certificates:          own.gmCertificates(),
			RootCAs:               roots.gmPool(),
			Authorities:           roots.authorities(),
			ChainCache:            chainCache,
			VerifyPeerCertificate: so.VerifyCertificate,
			Versions:              versionsOf([]protocol{proto}),
			CurvePreferences:      groupsOf(of != nil && of.gmHybrid),
			CipherSuites:          withSuites13(suites),
			Time:                  shiftedClock(so.TimeShift),
		}
		return st, nil
	}
	st.std = &tls.Config{
		MinVersion:            tls.VersionTLS12,
		ServerName:            so.ServerNameOverride,
		VerifyPeerCertificate: so.VerifyCertificate,
		Time:                  shiftedClock(so.TimeShift),
	}
	if roots.any() {
		st.std.RootCAs = roots.stdPool()
	}
	if own.Std != nil {
		st.std.Certificates = []tls.Certificate{*own.Std}
	}
	return st, nil
}

// onlyECDHE reports whether a list of TLCP suites has suites of the SM2 key
// exchange only, for which both ends need a pair (GB/T 38636-2020, 6.4.5.4).
func onlyECDHE(suites []uint16) bool {
	for _, id := range suites {
		if id != gmtls.ECDHE_SM4_GCM_SM3 && id != gmtls.ECDHE_SM4_CBC_SM3 {
			return false
		}
	}
	return len(suites) > 0
}

func (so SecureOptions) serverRoots(of *sourceState) (rootSet, error) {
	roots, bad := parseRootBlobs(so.ServerRootCAs)
	if len(bad) != 0 {
		return rootSet{}, fmt.Errorf("error adding root certificate: no certificate can be parsed in server root CA %d of %d", bad[0]+1, len(so.ServerRootCAs))
	}
	if of != nil {
		roots.add(of.serverRoots)
	}
	return roots, nil
}

// checkRoots refuses a client that could not verify any server. No roots at all
// mean the system's in mode tls, as upstream does.
func checkRoots(role string, mode ClientMode, roots rootSet) error {
	if mode == ClientGM && len(roots.gm) == 0 {
		return fmt.Errorf("comm: dialer %s is in mode gm, but none of its %d server root CAs is SM2; add the SM2 root of the server's organisation, or set the client mode to tls", roleName(role), len(roots.std))
	}
	if mode != ClientGM && len(roots.std) == 0 && len(roots.gm) != 0 {
		return fmt.Errorf("comm: dialer %s is in mode tls, but all of its %d server root CAs are SM2; add a root for TLS, or set the client mode to gm", roleName(role), len(roots.gm))
	}
	return nil
}

// KeepaliveOptions are the intervals of gRPC keepalive pings.
type KeepaliveOptions struct {
	ClientInterval    time.Duration // of silence after which a client pings
	ClientTimeout     time.Duration // for the answer
	ServerInterval    time.Duration // of silence after which a server pings
	ServerTimeout     time.Duration // for the answer
	ServerMinInterval time.Duration // between a client's pings; a faster one is disconnected
}

// ServerKeepaliveOptions returns the server's options in gRPC's form.
func (ka KeepaliveOptions) ServerKeepaliveOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time:    ka.ServerInterval,
			Timeout: ka.ServerTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime:             ka.ServerMinInterval,
			PermitWithoutStream: true,
		}),
	}
}

// maxAnswerFields bounds the header fields of an answer in bytes, unpacked. By
// gRPC's default, 16 MiB, a server can make 4 KB take 12 MB for each call.
const maxAnswerFields = 64 << 10

// BoundAnswers returns the option that bounds the header fields of answers, for
// those who dial without ClientConfig.
func BoundAnswers() grpc.DialOption { return grpc.WithMaxHeaderListSize(maxAnswerFields) }

// ClientKeepaliveOptions returns the client's options in gRPC's form.
func (ka KeepaliveOptions) ClientKeepaliveOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithKeepaliveParams(keepalive.ClientParameters{
		Time:                ka.ClientInterval,
		Timeout:             ka.ClientTimeout,
		PermitWithoutStream: true,
	})}
}

// Metrics counts connections. It is kept for users of upstream's API.
type Metrics struct {
	OpenConnCounter   metrics.Counter
	ClosedConnCounter metrics.Counter
}
