// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// ClientConfig configures gRPC connections to servers.
type ClientConfig struct {
	SecOpts SecureOptions
	KaOpts  KeepaliveOptions
	// BaOpts says how long to wait before a lost connection is tried again. Any zero in it means the times of reconnection.
	BaOpts BackoffOptions
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

// BackoffOptions are the waiting times of a client whose connection is lost: the first one, the factor from one to the next, and
// the longest.
type BackoffOptions struct {
	BaseDelay  time.Duration
	Multiplier float64
	MaxDelay   time.Duration
}

// DefaultBackoffOptions complete the keys of General.Backoff that are not set.
var DefaultBackoffOptions = BackoffOptions{BaseDelay: time.Second, Multiplier: 1.6, MaxDelay: 2 * time.Minute}

// reconnecting returns the options for connections that are lost.
func (cc ClientConfig) reconnecting() []grpc.DialOption {
	b := cc.BaOpts
	if b.BaseDelay == 0 || b.Multiplier == 0 || b.MaxDelay == 0 {
		return nil
	}
	return []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: b.BaseDelay, Multiplier: b.Multiplier, Jitter: reconnection.Jitter, MaxDelay: b.MaxDelay},
		MinConnectTimeout: cc.DialTimeout,
	})}
}

// Clone returns a copy, which shares with cc what its fields point to.
func (cc ClientConfig) Clone() ClientConfig { return cc }
