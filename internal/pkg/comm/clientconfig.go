// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"time"

	"google.golang.org/grpc"
)

// ClientConfig configures gRPC connections to servers.
type ClientConfig struct {
	SecOpts SecureOptions
	KaOpts  KeepaliveOptions
	// DialTimeout bounds Dial, and each attempt at a connection, up to the end
	// of its handshake, as long as the connection is used. Zero means gRPC's
	// bound of 20 s for the attempts.
	DialTimeout time.Duration
	// AsyncConnect lets Dial return before a connection is up.
	AsyncConnect bool
	// MaxRecvMsgSize and MaxSendMsgSize are in bytes; zero means the defaults.
	MaxRecvMsgSize int
	MaxSendMsgSize int
}

// reconnecting returns the options for connections that are lost: those that
// all connections have. Upstream's later versions have keys for them.
func (cc ClientConfig) reconnecting() []grpc.DialOption { return nil }
