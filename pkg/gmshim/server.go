// SPDX-License-Identifier: Apache-2.0

// Package gmshim serves Go chaincode to peers over TLCP (GB/T 38636) or TLS 1.3 with GM suites (RFC 8998), as the shim of
// fabric-chaincode-go serves it over TLS.
//
// It is for chaincode as a service, where the peer connects to the chaincode. Call
//
//	gmshim.Start(chaincode)
//
// instead of shim.Start or ContractChaincode.Start. It reads the environment variables of stock chaincode servers and six more
// (see FromEnv). To read SM2 callers, a chaincode imports gmshim/cid instead of upstream's cid, and a contract of
// fabric-contract-api-go sets the context of gmshim/gmcontract.
//
// The shim's messages to the peer do not change. A server speaks only the configured protocol: there is no fallback.
//
// Chaincode that a peer builds and launches itself connects back to the peer. It still uses shim.Start, for TLS, or
// StartLaunched, for TLCP or TLS 1.3 with GM suites, as chaincode.tls.mode in the peer's core.yaml says.
package gmshim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Limits of the connection to the peer. They equal those of the stock chaincode server, so that a peer needs no other
// settings for one than for the other.
const (
	maxMessageSize    = 100 << 20 // bytes, either way
	handshakeTimeout  = 5 * time.Second
	keepaliveInterval = time.Minute
	keepaliveTimeout  = 20 * time.Second
	keepaliveMinimum  = time.Minute // a peer that pings more often is cut off
)

// Limits that the stock server lacks: who opens streams, or sends header fields that unpack to much, fills its memory.
const (
	maxStreams = 100      // of one connection; a peer needs one, and a mesh may put those of several peers into one connection
	maxFields  = 16 << 10 // bytes of the header fields of a call, unpacked, as at nodes; by gRPC's default 16 MiB
)

// TLCPProperties holds the certificate pair of a chaincode server and the roots of its clients, all in PEM.
type TLCPProperties struct {
	// SignCert and SignKey, EncCert and EncKey are the signing and the encryption certificate (SM2, leaf first, chain
	// after it if there is one) and their private keys.
	SignCert, SignKey []byte
	EncCert, EncKey   []byte
	// ClientCACerts, when not empty, makes the server demand a client certificate that chains to one of these.
	ClientCACerts []byte
	// Versions lists what is spoken, gmtls.VersionTLCP and gmtls.VersionTLS13; nil means TLCP alone. TLS 1.3 shows the
	// signing certificate.
	Versions []uint16
}

// ChaincodeServer is the shim's chaincode server, with TLCP and TLS 1.3 with GM suites in addition to TLS.
type ChaincodeServer struct {
	shim.ChaincodeServer
	// TLCP, when not nil, makes the server speak TLCP, or what its Versions list, and nothing else. TLSProps must then be empty.
	TLCP *TLCPProperties
	// Log is told of certificates that end, of files that changed, and of a server without protection; nil means slog.Default().
	Log *slog.Logger

	read   func() (protection, error) // the files of FromEnv; nil: there are none
	held   protection                 // what they held
	hangup <-chan os.Signal           // asks to read them at once
}

// Start serves on Address until the listener fails. It returns an error at once when a property is missing or invalid.
func (s *ChaincodeServer) Start() error {
	return s.ListenAndServe(context.Background())
}

// ListenAndServe serves on Address until ctx ends, which closes the connections to peers and returns nil.
func (s *ChaincodeServer) ListenAndServe(ctx context.Context) error {
	if s.Address == "" {
		return errors.New("gmshim: no address to listen on: set CHAINCODE_SERVER_ADDRESS or ChaincodeServer.Address")
	}
	listener, err := net.Listen("tcp", s.Address)
	if err != nil {
		return fmt.Errorf("gmshim: listen on %s: %w", s.Address, err)
	}
	return s.Serve(ctx, listener)
}

// Serve is ListenAndServe on the given listener, which it closes.
func (s *ChaincodeServer) Serve(ctx context.Context, listener net.Listener) error {
	transport, err := s.credentials()
	if err != nil {
		_ = listener.Close()
		return err
	}
	server, err := s.grpcServer(transport)
	if err != nil {
		_ = listener.Close()
		return err
	}
	renewed, protected := transport.(*renewal)
	if !protected {
		cmp.Or(s.Log, slog.Default()).Warn("gmshim: chaincode is served without TLS and TLCP: whoever reaches the port is the peer, and reads and changes everything", "address", listener.Addr().String())
	}
	if protected {
		watched, stop := context.WithCancel(ctx)
		defer stop()
		go renewed.watch(watched, s.hangup)
	}
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	err = server.Serve(listener)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("gmshim: serve chaincode %s on %s: %w", s.CCID, listener.Addr(), err)
	}
	return nil
}

func (s *ChaincodeServer) grpcServer(transport credentials.TransportCredentials) (*grpc.Server, error) {
	if s.CCID == "" {
		return nil, errors.New("gmshim: no chaincode id: set CORE_CHAINCODE_ID_NAME (or CHAINCODE_ID) or ChaincodeServer.CCID to the package id that the peer printed on install")
	}
	if s.CC == nil {
		return nil, errors.New("gmshim: no chaincode to serve: set ChaincodeServer.CC")
	}
	parameters := keepalive.ServerParameters{Time: keepaliveInterval, Timeout: keepaliveTimeout}
	if s.KaOpts != nil {
		parameters = *s.KaOpts
	}
	server := grpc.NewServer(
		grpc.Creds(transport),
		grpc.MaxRecvMsgSize(maxMessageSize),
		grpc.MaxSendMsgSize(maxMessageSize),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxFields),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(parameters),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinimum, PermitWithoutStream: true}),
	)
	peer.RegisterChaincodeServer(server, s)
	return server, nil
}

func (s *ChaincodeServer) credentials() (credentials.TransportCredentials, error) {
	tlsGiven := len(s.TLSProps.Key) > 0 || len(s.TLSProps.Cert) > 0 || len(s.TLSProps.ClientCACerts) > 0
	switch {
	case s.TLCP != nil && tlsGiven: // client roots too: nobody would ask for the certificates that they verify
		return nil, errors.New("gmshim: both TLCP and TLSProps hold certificates or keys: a chaincode server speaks one protocol, empty one of them; client roots of TLCP are in TLCP.ClientCACerts")
	case s.TLSProps.Disabled && tlsGiven:
		return nil, errors.New("gmshim: TLSProps holds key material and is disabled: remove the material or enable TLS")
	case s.TLSProps.Disabled && s.TLCP == nil:
		return insecure.NewCredentials(), nil
	}
	given := protection{tlcp: s.TLCP, tls: s.TLSProps}
	if s.read == nil || !reflect.DeepEqual(given, s.held) { // what a program has set, files must not undo
		return newRenewal(given, nil, s.Log)
	}
	return newRenewal(s.held, s.read, s.Log)
}

// Start serves chaincode as the environment says (see FromEnv) until the process gets SIGINT or SIGTERM. At SIGHUP it reads the files of
// certificates and keys, as nodes do; it also does so when they have changed and a peer connects.
func Start(chaincode shim.Chaincode) error {
	server, err := FromEnv(chaincode)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	server.hangup = hangup
	return server.ListenAndServe(ctx)
}
