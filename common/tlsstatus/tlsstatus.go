// SPDX-License-Identifier: Apache-2.0

// Package tlsstatus defines the page /tls of a node's operations service, which shows and switches the protection of its connections:
// names of roles, modes, and the types of the JSON. Nodes write these types and tools read them. The package depends on nothing of Fabric,
// so that tools can import it.
package tlsstatus

import "time"

// Path is the page's path. GET answers with a list of Role, PUT and POST take a Change. On an error the answer is a Failure.
const Path = "/tls"

// SelfTestPath is the path of the self-tests. GET answers with the SelfTest of the last POST, or null; POST runs them.
const SelfTestPath = "/selftest"

// SelfTest is the result of self-tests that an operator asked for.
type SelfTest struct {
	Time  time.Time `json:"time"`            // of the end
	Error string    `json:"error,omitempty"` // empty: all passed
}

// ServerMode says which protocols a listener speaks.
type ServerMode string

// Modes of a listener.
const (
	ModeTLS  ServerMode = "tls"  // TLS only, as stock Fabric; also the meaning of ""
	ModeDual ServerMode = "dual" // TLS and a GM protocol on one port
	ModeGM   ServerMode = "gm"   // GM protocols only
)

// TLS reports whether listeners in the mode speak TLS with the standard algorithms.
func (m ServerMode) TLS() bool { return m != ModeGM }

// GM reports whether listeners in the mode speak GM protocols.
func (m ServerMode) GM() bool { return m == ModeGM || m == ModeDual }

// ClientMode says which protocol a dialer speaks.
type ClientMode string

// Modes of a dialer.
const (
	ClientTLS ClientMode = "tls"
	ClientGM  ClientMode = "gm"
)

// Role is the state of one role: its modes, its listeners, and what its dialers have open.
type Role struct {
	Name       string     `json:"role"`
	ServerMode ServerMode `json:"serverMode,omitempty"`
	ClientMode ClientMode `json:"clientMode,omitempty"`
	// What the GM modes mean, "TLCP" and "TLS13"; absent in another mode, unless it was switched.
	GMProtocols      []string `json:"gmProtocols,omitempty"`
	GMClientProtocol string   `json:"gmClientProtocol,omitempty"`
	// The modes and GM protocols at start, which a restart brings back.
	ConfiguredServerMode       ServerMode    `json:"configuredServerMode,omitempty"`
	ConfiguredClientMode       ClientMode    `json:"configuredClientMode,omitempty"`
	ConfiguredGMProtocols      []string      `json:"configuredGmProtocols,omitempty"`
	ConfiguredGMClientProtocol string        `json:"configuredGmClientProtocol,omitempty"`
	Certificates               []Certificate `json:"certificates"`
	ServerRoots                []Root        `json:"serverRoots,omitempty"` // of the files; a channel's come on top
	ClientRoots                []Root        `json:"clientRoots,omitempty"` // likewise
	Listeners                  []Listener    `json:"listeners,omitempty"`
	Dialed                     []Connections `json:"dialed,omitempty"`
	// Revocation is nil where the role does not check it.
	Revocation *Revocation `json:"revocation,omitempty"`
	Last       *Outcome    `json:"lastChange,omitempty"`
}

// Uses of certificates, and families of roots.
const (
	UseTLS          = "tls"
	UseGMSigning    = "gm-signing"
	UseGMEncryption = "gm-encryption"

	FamilyTLS = "tls"
	FamilyGM  = "gm"
)

// Certificate describes a certificate that a role presents.
type Certificate struct {
	Use      string    `json:"use"`
	Subject  string    `json:"subject"`
	Serial   string    `json:"serial"` // hexadecimal
	NotAfter time.Time `json:"notAfter"`
	Expired  bool      `json:"expired,omitempty"`
}

// Root describes an authority by which a role verifies others.
type Root struct {
	Family   string    `json:"family"`
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"notAfter"`
}

// Listener describes a listener.
type Listener struct {
	Address     string        `json:"address"`
	MutualTLS   bool          `json:"clientCertificateRequired"`
	Connections []Connections `json:"connections"`
}

// Protocols of connections.
const (
	OverTLS   = "TLS"
	OverTLCP  = "TLCP"
	OverTLS13 = "TLS13-GM" // TLS 1.3 with the GM suites of RFC 8998
)

// Connections counts live connections of one protocol and cipher suite.
type Connections struct {
	Protocol string `json:"protocol"`
	Suite    string `json:"suite"`
	Count    int    `json:"count"`
}

// Revocation describes the lists by which a role judges certificates.
type Revocation struct {
	Lists []RevocationList `json:"lists"`
	// Refused says which certificates are refused that no list names, and why.
	Refused []string `json:"refused,omitempty"`
}

// RevocationList describes a list in use.
type RevocationList struct {
	Origin     string     `json:"origin"` // the MSP and the channel, or the files
	Issuer     string     `json:"issuer"`
	ThisUpdate time.Time  `json:"thisUpdate"`
	NextUpdate *time.Time `json:"nextUpdate,omitempty"` // from then on it is stale; nil: never
}

// Outcome says how a reload or a switch of mode ended.
type Outcome struct {
	Time   time.Time `json:"time"`
	Action string    `json:"action"`          // "reload", "mode" or "protocols"
	Error  string    `json:"error,omitempty"` // empty: done
}

// Change is the body of PUT and POST. An empty role means all roles, and an empty value that this stays as it is. POST reloads
// files and takes the role alone.
type Change struct {
	Role             string     `json:"role"`
	ServerMode       ServerMode `json:"serverMode,omitempty"`
	ClientMode       ClientMode `json:"clientMode,omitempty"`
	GMProtocols      []string   `json:"gmProtocols,omitempty"`
	GMClientProtocol string     `json:"gmClientProtocol,omitempty"`
}

// Failure is the answer where nothing was changed.
type Failure struct {
	Error string `json:"error"`
}
