// SPDX-License-Identifier: Apache-2.0

// Package gmgateway connects Go client applications to a Fabric gateway peer with the national algorithms: SM2
// identities, signatures over SM3(Z || message), and TLCP (GB/T 38636) in place of TLS. ECDSA identities and TLS work
// too, in any combination: the key decides the signature, and the mode in the profile decides the protocol.
//
//	connection, err := gmgateway.Connect("profile.yaml")
//	...
//	defer connection.Close()
//	contract := connection.GetNetwork("mychannel").GetContract("asset")
//
// All other functions are those of fabric-gateway. A client in mode gm never falls back to TLS.
package gmgateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric/pkg/internal/roots"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// maxMessageSize is that of Fabric's own clients; gRPC's 4 MiB would break block events. In bytes.
const maxMessageSize = 100 << 20

// maxAnswerFields bounds the header fields of an answer in bytes, unpacked. By gRPC's default, 16 MiB, a server can make 4 KB take 12 MB.
const maxAnswerFields = 64 << 10

// keepaliveInterval finds out that a peer is gone while events are awaited. Peers cut off clients that ping more often than
// once in 60 s (peer.keepalive.minInterval), and twice that leaves no doubt.
const keepaliveInterval = 2 * time.Minute

// Limits of a call for which the application gives no context. Without them, a peer that answers the pings of a connection but not its
// calls holds the application for ever.
const (
	evaluateTimeout = 30 * time.Second
	endorseTimeout  = time.Minute // the gateway asks other peers
	submitTimeout   = 30 * time.Second
	commitTimeout   = 5 * time.Minute // orderers may be choosing a leader
)

// Connection is a gateway together with the gRPC connection under it.
type Connection struct {
	*client.Gateway
	// Peer is the name, in the profile, of the peer connected to.
	Peer string

	conn *grpc.ClientConn
	stop context.CancelFunc // of warnings
}

// Close ends the gateway and its connection.
func (c *Connection) Close() error {
	c.stop()
	return errors.Join(c.Gateway.Close(), c.conn.Close())
}

// Connect opens the gateway that the profile in file describes, at the first peer of the client's organisation.
func Connect(file string, options ...client.ConnectOption) (*Connection, error) {
	profile, err := LoadProfile(file)
	if err != nil {
		return nil, err
	}
	return profile.Connect("", options...)
}

// Connect opens a gateway at a peer of the profile; an empty name means the first of the client's organisation. It
// does not wait for the connection: the first call does. options come after those that the profile implies and may
// override them.
//
// A call without a context of the caller's ends after 30 s (evaluate, submit), 1 minute (endorse) or 5 minutes (status of the commit),
// unless options such as client.WithEvaluateTimeout say otherwise. Streams of events have no limit.
//
// The files of the profile are read now. An application that renews its certificates closes the connection and connects again: the gateway
// has one identity, and asks for blocks by the hash of one client certificate. Until Close, slog.Default() is told of certificates that end
// within 30 days.
func (p *Profile) Connect(peer string, options ...client.ConnectOption) (*Connection, error) {
	id, certificate, signer, err := p.identity()
	if err != nil {
		return nil, err
	}
	name, target, err := p.peer(peer)
	if err != nil {
		return nil, err
	}
	transport, shown, err := p.transport(name, target)
	if err != nil {
		return nil, err
	}
	address, err := target.address()
	if err != nil {
		return nil, fmt.Errorf("gmgateway: peers.%s.%w", name, err)
	}
	conn, err := grpc.NewClient("dns:///"+address,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageSize), grpc.MaxCallSendMsgSize(maxMessageSize)),
		grpc.WithMaxHeaderListSize(maxAnswerFields),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveInterval, Timeout: 20 * time.Second}),
	)
	if err != nil {
		return nil, fmt.Errorf("gmgateway: connect to peer %s at %s: %w", name, address, err)
	}
	implied := []client.ConnectOption{
		client.WithClientConnection(conn),
		client.WithHash(signer.Hash),
		client.WithEvaluateTimeout(evaluateTimeout), client.WithEndorseTimeout(endorseTimeout),
		client.WithSubmitTimeout(submitTimeout), client.WithCommitStatusTimeout(commitTimeout),
	}
	if signer.Sign != nil {
		implied = append(implied, client.WithSign(signer.Sign))
	}
	if len(shown) > 0 {
		// With mutual TLS peers bind a request for blocks to the certificate of the connection it comes over.
		sum := sha256.Sum256(shown[0].Raw)
		implied = append(implied, client.WithTLSClientCertificateHash(sum[:]))
	}
	gateway, err := client.Connect(id, append(implied, options...)...)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("gmgateway: connect to peer %s at %s: %w", name, address, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	roots.KeepWarningOfEnds(ctx, slog.Default(), "the application", append(shown, certificate)...)
	return &Connection{Gateway: gateway, Peer: name, conn: conn, stop: stop}, nil
}
