// SPDX-License-Identifier: Apache-2.0

package gmshim

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/pkg/internal/roots"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Variables that a peer, or the run program of an external builder, sets for chaincode that it launches.
var (
	envLaunchedKey  = []string{"CORE_TLS_CLIENT_KEY_FILE"}
	envLaunchedCert = []string{"CORE_TLS_CLIENT_CERT_FILE"}
	envLaunchedRoot = []string{"CORE_PEER_TLS_ROOTCERT_FILE"}
	envLaunchedID   = []string{"CORE_CHAINCODE_ID_NAME"}
)

// Launched describes the peer that launched a chaincode and how to connect back to it.
type Launched struct {
	// ID is the chaincode's package id.
	ID string
	// Address is where the peer listens for its chaincode, host:port.
	Address string
	// Certificates and Keys are bundles in PEM: the signing half of the pair first, the encryption half second.
	Certificates, Keys []byte
	// Version is the protocol, gmtls.VersionTLCP, also if it is 0, or gmtls.VersionTLS13.
	Version uint16
	// RootCACerts holds the SM2 roots of the peer's certificate in PEM.
	RootCACerts []byte
}

// maxAnswerFields bounds the header fields of an answer in bytes, unpacked, as in nodes. gRPC's default is 16 MiB.
const maxAnswerFields = 64 << 10

// StartLaunched runs chaincode that a peer launched, if the peer's core.yaml has chaincode.tls.mode gm. It connects back over TLCP, or
// over TLS 1.3 with GM suites if CHAINCODE_GM_PROTOCOLS is TLS13. It takes the place of shim.Start and reads the
// same: the flag -peer.address and the variables CORE_CHAINCODE_ID_NAME, CORE_TLS_CLIENT_CERT_FILE, CORE_TLS_CLIENT_KEY_FILE and
// CORE_PEER_TLS_ROOTCERT_FILE, where the peer puts the certificate pair and the root. It returns when the peer ends the connection or on SIGINT or SIGTERM.
func StartLaunched(chaincode shim.Chaincode) error {
	launched, err := launchedFromEnv()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return launched.Run(ctx, chaincode)
}

func launchedFromEnv() (*Launched, error) {
	if !flag.Parsed() {
		flag.Parse()
	}
	address := flag.Lookup("peer.address").Value.String() // the shim defines it
	if address == "" {
		return nil, errors.New("gmshim: flag -peer.address is not set: the peer that launches a chaincode sets it; a chaincode server starts with gmshim.Start")
	}
	id, err := required(envLaunchedID)
	if err != nil {
		return nil, err
	}
	launched := &Launched{ID: id, Address: address}
	spoken, err := versions(os.Getenv(envProtocols))
	switch {
	case err != nil:
		return nil, err
	case len(spoken) > 1:
		return nil, fmt.Errorf("gmshim: %s=%s: chaincode that a peer launched speaks one protocol: want TLCP or TLS13", envProtocols, os.Getenv(envProtocols))
	case len(spoken) == 1:
		launched.Version = spoken[0]
	}
	return launched, readAll(
		file{envLaunchedCert, &launched.Certificates, true},
		file{envLaunchedKey, &launched.Keys, true},
		file{envLaunchedRoot, &launched.RootCACerts, true},
	)
}

// Run connects to the peer and serves it until the peer ends the connection or ctx ends. It returns nil when ctx ends.
func (l *Launched) Run(ctx context.Context, chaincode shim.Chaincode) error {
	transport, err := l.credentials()
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(l.Address,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageSize), grpc.MaxCallSendMsgSize(maxMessageSize)),
		grpc.WithMaxHeaderListSize(maxAnswerFields),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveInterval, Timeout: keepaliveTimeout, PermitWithoutStream: true}),
	)
	if err != nil {
		return fmt.Errorf("gmshim: peer address %q: %w", l.Address, err)
	}
	defer conn.Close()
	stream, err := peer.NewChaincodeSupportClient(conn).Register(ctx)
	if err != nil {
		return fmt.Errorf("gmshim: connect to the peer at %s: %w", l.Address, err)
	}
	err = shim.StartInProc(l.ID, stream, chaincode)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("gmshim: chaincode %s and the peer at %s: %w", l.ID, l.Address, err)
	}
	return nil
}

func (l *Launched) credentials() (credentials.TransportCredentials, error) {
	pair, err := l.pair()
	if err != nil {
		return nil, err
	}
	trusted, err := roots.SM2(envLaunchedRoot[0], l.RootCACerts)
	if err != nil {
		return nil, fmt.Errorf("gmshim: root that the peer gave: %w", err)
	}
	version := l.Version
	if version == 0 {
		version = gmtls.VersionTLCP
	}
	return gmcredentials.New(&gmtls.Config{
		Versions:         []uint16{version},
		Certificates:     []gmtls.Certificate{pair},
		RootCAs:          trusted.Pool,
		Authorities:      trusted.Authorities,
		HandshakeTimeout: handshakeTimeout,
	}), nil
}

// pair reads the bundles of the peer, which hold the signing half first and the encryption half second, and nothing else.
func (l *Launched) pair() (gmtls.Certificate, error) {
	certs, err := material.Parse(envLaunchedCert[0], l.Certificates)
	if err != nil {
		return gmtls.Certificate{}, fmt.Errorf("gmshim: certificates that the peer gave: %w", err)
	}
	keys, err := material.Parse(envLaunchedKey[0], l.Keys)
	if err != nil {
		return gmtls.Certificate{}, fmt.Errorf("gmshim: keys that the peer gave: %w", err)
	}
	if len(certs.Certificates) != 2 || len(keys.Keys) != 2 {
		return gmtls.Certificate{}, fmt.Errorf("gmshim: want two certificates in %s and two keys in %s, the signing and the encryption half of a TLCP pair, but there are %d and %d: is chaincode.tls.mode of the peer gm?",
			envLaunchedCert[0], envLaunchedKey[0], len(certs.Certificates), len(keys.Keys))
	}
	var opened [2]any
	for i, key := range keys.Keys {
		if opened[i], err = key.Open(nil); err != nil {
			return gmtls.Certificate{}, fmt.Errorf("gmshim: keys that the peer gave: %w", err)
		}
	}
	pair, err := gmtls.NewCertificate(certs.Certificates[:1], opened[0], certs.Certificates[1:], opened[1])
	if err != nil {
		return gmtls.Certificate{}, fmt.Errorf("gmshim: TLCP pair that the peer gave: %w", err)
	}
	return pair, nil
}
