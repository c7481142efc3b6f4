// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Server returns a TLCP server over conn. config must hold a certificate pair
// or a way to get one.
func Server(conn net.Conn, config *Config) *Conn { return newConn(conn, config, false) }

// Client returns a TLCP client over conn. config must have ServerName or
// InsecureSkipVerify set.
func Client(conn net.Conn, config *Config) *Conn { return newConn(conn, config, true) }

// listener hands out TLCP servers.
type listener struct {
	net.Listener
	config *Config
}

// Accept waits for a connection and returns a *Conn on which no handshake was
// done yet.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Server(conn, l.config), nil
}

// NewListener returns a listener that wraps what inner accepts in [Server].
func NewListener(inner net.Listener, config *Config) net.Listener {
	return &listener{inner, config}
}

// Listen listens like net.Listen for TLCP connections. config must hold a
// certificate pair or a way to get one.
func Listen(network, laddr string, config *Config) (net.Listener, error) {
	if config == nil || len(config.Certificates) == 0 &&
		config.GetCertificate == nil && config.GetConfigForClient == nil {
		return nil, errors.New("gmtls: Listen needs a Config with Certificates, GetCertificate or GetConfigForClient")
	}
	inner, err := net.Listen(network, laddr)
	if err != nil {
		return nil, err
	}
	return NewListener(inner, config), nil
}

// Dialer dials TLCP connections with a fixed configuration.
type Dialer struct {
	// NetDialer makes the underlying connection; nil means the zero net.Dialer.
	NetDialer *net.Dialer
	// Config is the configuration; where its ServerName is empty the host of
	// the address is used.
	Config *Config
}

// Dial is DialContext with a background context.
func (d *Dialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}

// DialContext connects and completes the handshake; the context bounds both.
// The returned net.Conn is a *Conn.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	netDialer := d.NetDialer
	if netDialer == nil {
		netDialer = new(net.Dialer)
	}
	conn, err := dial(ctx, netDialer, network, addr, d.Config)
	if err != nil {
		return nil, err // not a nil *Conn in a non-nil interface
	}
	return conn, nil
}

// Dial connects to the address and completes the handshake.
func Dial(network, addr string, config *Config) (*Conn, error) {
	return DialWithDialer(new(net.Dialer), network, addr, config)
}

// DialWithDialer connects with the given dialer and completes the handshake.
// The dialer's Timeout and Deadline bound both together.
func DialWithDialer(dialer *net.Dialer, network, addr string, config *Config) (*Conn, error) {
	return dial(context.Background(), dialer, network, addr, config)
}

func dial(ctx context.Context, netDialer *net.Dialer, network, addr string, config *Config) (*Conn, error) {
	if deadline := dialDeadline(netDialer, time.Now()); !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	if config == nil {
		config = new(Config)
	}
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("gmtls: address %q has no host and port: %w", addr, err)
		}
		config = config.Clone()
		config.ServerName = host
	}
	raw, err := netDialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// dialDeadline returns the earlier of what the dialer's two limits say, zero if
// it has none.
func dialDeadline(d *net.Dialer, now time.Time) time.Time {
	deadline := d.Deadline
	if d.Timeout > 0 {
		if end := now.Add(d.Timeout); deadline.IsZero() || end.Before(deadline) {
			deadline = end
		}
	}
	return deadline
}
