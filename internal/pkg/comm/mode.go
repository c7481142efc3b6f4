// SPDX-License-Identifier: Apache-2.0

// Package comm has the gRPC servers, clients and transport credentials of peer
// and orderer. It replaces upstream's package of the same path, keeps its
// exported API, and adds TLCP (GB/T 38636) to TLS.
//
// Start with [NewGRPCServer] and [ClientConfig]. Their [SecureOptions] name a
// [Source]: the certificates and the mode of one role, which can be reloaded and
// switched while connections are open. A listener has the mode tls, dual or gm, a
// dialer tls or gm. Mode gm means TLCP, or TLS 1.3 with GM suites if configured.
//
// The package never falls back from one protocol to another. Two ends without a
// common protocol get a [ModeError].
package comm

import (
	"fmt"
	"time"

	"github.com/hyperledger/fabric/common/tlsstatus"
)

// Modes of listeners and dialers, as the status has them.
type (
	ServerMode = tlsstatus.ServerMode
	ClientMode = tlsstatus.ClientMode
)

const (
	ModeTLS   = tlsstatus.ModeTLS
	ModeDual  = tlsstatus.ModeDual
	ModeGM    = tlsstatus.ModeGM
	ClientTLS = tlsstatus.ClientTLS
	ClientGM  = tlsstatus.ClientGM
)

// ParseServerMode returns the mode that a configuration value names; the empty
// value means tls. The caller adds the configuration key to the error.
func ParseServerMode(value string) (ServerMode, error) {
	switch mode := ServerMode(value); mode {
	case "":
		return ModeTLS, nil
	case ModeTLS, ModeDual, ModeGM:
		return mode, nil
	}
	return "", fmt.Errorf("comm: %q is not a server mode: use tls, dual or gm", value)
}

// ParseClientMode returns the mode that a configuration value names; the empty
// value means tls. The caller adds the configuration key to the error.
func ParseClientMode(value string) (ClientMode, error) {
	switch mode := ClientMode(value); mode {
	case "":
		return ClientTLS, nil
	case ClientTLS, ClientGM:
		return mode, nil
	}
	return "", fmt.Errorf("comm: %q is not a client mode: use tls or gm", value)
}

// modes are those of a role, with what they mean; empty where it does not listen
// or does not dial.
type modes struct {
	server   ServerMode
	client   ClientMode
	gmServer []protocol
	gmClient protocol
}

// protocol is a protocol of the TLS family, named as in logs and metrics.
type protocol string

const (
	protocolTLS   protocol = tlsstatus.OverTLS
	protocolTLCP  protocol = tlsstatus.OverTLCP
	protocolTLS13 protocol = tlsstatus.OverTLS13
)

// ModeError says that the two ends of a connection share no protocol. It names
// the modes of both and what to change.
type ModeError struct {
	Peer   string // address of the other end
	Local  string // this end, with its role and mode
	Remote string // what the other end showed of its mode
	Remedy string
	Err    error // what the handshake ended with; may be nil
}

// Error describes both modes and the remedy.
func (e *ModeError) Error() string {
	return fmt.Sprintf("comm: no common protocol with %s: %s, but %s; %s", e.Peer, e.Local, e.Remote, e.Remedy)
}

// Unwrap returns what the handshake ended with.
func (e *ModeError) Unwrap() error { return e.Err }

// Temporary tells gRPC that a retry cannot help. A blocking dial then fails at once
// with this error, and does not wait for its deadline.
func (e *ModeError) Temporary() bool { return false }

func serverModeError(role, peer string, mode ServerMode, listed []protocol, spoken protocol) *ModeError {
	remedy := "set the server mode to dual to serve both"
	local := fmt.Sprintf("listener %s is in mode %s", roleName(role), mode)
	switch {
	case spoken == protocolTLS:
		remedy = "set the dialing side's client mode to gm, or this listener's mode to dual"
	case mode.GM():
		local += fmt.Sprintf(" with the GM protocol %s alone", joinProtocols(listed))
		remedy = fmt.Sprintf("add %s to the listener's GM protocols, or let the dialing side use %s", settingOf(spoken), joinProtocols(listed))
	}
	return &ModeError{
		Peer:   peer,
		Local:  local,
		Remote: fmt.Sprintf("the client speaks %s", spoken),
		Remedy: remedy,
	}
}

func clientModeError(role, peer string, proto protocol, err error) *ModeError {
	mode := ClientTLS
	if proto != protocolTLS {
		mode = ClientGM
	}
	e := &ModeError{Peer: peer, Err: err, Local: fmt.Sprintf("dialer %s is in mode %s", roleName(role), mode)}
	switch proto {
	case protocolTLS13:
		e.Local += ", by TLS 1.3"
		e.Remote = "the server has no TLS 1.3 with GM suites: its mode is tls, or its GM protocols are TLCP alone"
		e.Remedy = "set the server's mode to dual or gm and add TLS13 to its GM protocols, or set this dialer's GM protocol to TLCP"
	case protocolTLCP:
		e.Remote = "the server answered in TLS, so its mode is tls, or its GM protocols are without TLCP"
		e.Remedy = "set the server's mode to dual or gm, with TLCP among its GM protocols, or this dialer's client mode to tls"
	default:
		e.Remote = "the server refused TLS 1.2 and 1.3 with protocol_version, as a node in mode gm does"
		e.Remedy = "set this dialer's client mode to gm, or the server's mode to dual"
	}
	return e
}

func roleName(role string) string {
	if role == "" {
		return tlsstatus.Unnamed
	}
	return role
}

// DefaultDrainGrace is the time that connections get to end on their own after
// a switch to a mode that does not have their protocol.
const DefaultDrainGrace = 60 * time.Second
