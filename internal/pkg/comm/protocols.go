// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// Names of the GM protocols in configuration files.
const (
	GMProtocolTLCP  = "TLCP"  // GB/T 38636
	GMProtocolTLS13 = "TLS13" // TLS 1.3 with the suites of RFC 8998
)

var protocolSettings = map[string]protocol{GMProtocolTLCP: protocolTLCP, GMProtocolTLS13: protocolTLS13}

// settingOf returns the name of a GM protocol in configuration files.
func settingOf(p protocol) string {
	for name, known := range protocolSettings {
		if known == p {
			return name
		}
	}
	return string(p)
}

func settingsOf(list []protocol) []string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = settingOf(p)
	}
	return names
}

func joinProtocols(list []protocol) string { return strings.Join(settingsOf(list), ", ") }

// CheckGMProtocols refuses a list of GM protocols for listeners, or a GM protocol
// for dialers, that has an unknown name, or a name twice. The caller adds the
// configuration key to the error.
func CheckGMProtocols(server []string, client string) error {
	_, _, err := gmProtocols(server, client)
	return err
}

// gmProtocols parses what a configuration says; nothing means TLCP.
func gmProtocols(server []string, client string) (listed []protocol, dialed protocol, err error) {
	if len(server) == 0 {
		server = []string{GMProtocolTLCP}
	}
	if client == "" {
		client = GMProtocolTLCP
	}
	for _, name := range append(slices.Clone(server), client) {
		if _, ok := protocolSettings[name]; !ok {
			return nil, "", fmt.Errorf("%q is not a GM protocol: use %s or %s", name, GMProtocolTLCP, GMProtocolTLS13)
		}
	}
	for _, name := range server {
		if slices.Contains(listed, protocolSettings[name]) {
			return nil, "", fmt.Errorf("the GM protocol %s is there twice", name)
		}
		listed = append(listed, protocolSettings[name])
	}
	return listed, protocolSettings[client], nil
}

// versionsOf returns the versions of gmtls for GM protocols.
func versionsOf(list []protocol) []uint16 {
	versions := make([]uint16, len(list))
	for i, p := range list {
		versions[i] = gmtls.VersionTLCP
		if p == protocolTLS13 {
			versions[i] = gmtls.VersionTLS13
		}
	}
	return versions
}

// groupsOf returns the groups of TLS 1.3 in order of preference; nil means the
// one of the standard.
func groupsOf(hybrid bool) []gmtls.CurveID {
	if !hybrid {
		return nil
	}
	return []gmtls.CurveID{gmtls.CurveSM2MLKEM768, gmtls.CurveSM2}
}

// withSuites13 adds the suites of TLS 1.3 to a list of those of TLCP, which does
// not choose among them; nil remains nil.
func withSuites13(tlcp []uint16) []uint16 {
	if tlcp == nil {
		return nil
	}
	return append(slices.Clone(tlcp), gmtls.TLS_SM4_GCM_SM3, gmtls.TLS_SM4_CCM_SM3)
}

// clientProtocol is what is dialed in the mode by a client whose source, if any,
// is in state of.
func clientProtocol(mode ClientMode, of *sourceState) protocol {
	switch {
	case mode != ClientGM:
		return protocolTLS
	case of != nil && of.gmClient != "":
		return of.gmClient
	}
	return protocolTLCP
}

// protocol is what a client with these options dials in the mode, its source, if
// any, being in state of.
func (so SecureOptions) protocol(mode ClientMode, of *sourceState) (protocol, error) {
	if mode != ClientGM || so.GMClientProtocol == "" {
		return clientProtocol(mode, of), nil
	}
	_, dialed, err := gmProtocols(nil, so.GMClientProtocol)
	if err != nil {
		return "", fmt.Errorf("comm: %w", err)
	}
	return dialed, nil
}

// presentProtocol is that of a client whose options were checked when it was made.
func (so SecureOptions) presentProtocol(of *sourceState) protocol {
	p, _ := so.protocol(so.clientMode(of), of)
	return p
}

// speaks reports whether the listener serves the protocol.
func (st *serverState) speaks(p protocol) bool {
	if p == protocolTLS {
		return st.mode.TLS()
	}
	return st.mode.GM() && slices.Contains(st.gms, p)
}

// identify recognises the protocol of a client by its first bytes, and by its
// ClientHello if the listener serves both TLS and TLS 1.3 with GM suites. Any other
// client gets a protocol that the listener refuses.
func (st *serverState) identify(spoken gmtls.Protocol, conn net.Conn) (protocol, net.Conn, error) {
	switch {
	case spoken == gmtls.ProtocolTLCP:
		return protocolTLCP, conn, nil
	case spoken == gmtls.ProtocolUnknown && !st.mode.TLS():
		return st.gms[0], conn, nil
	case spoken == gmtls.ProtocolUnknown, !st.speaks(protocolTLS13):
		return protocolTLS, conn, nil
	}
	offers, conn, err := gmtls.OffersGM(conn)
	if offers {
		return protocolTLS13, conn, err
	}
	return protocolTLS, conn, err
}

// SetGMProtocols switches the GM protocols of a role, or of all roles that have such a side if
// role is empty: those that its listeners speak, and the one that it dials. An empty
// value leaves that side as it is. On an error nothing has changed. Connections of a
// removed protocol are asked to end, and closed after the grace period.
func SetGMProtocols(role string, server []string, client string) error {
	if len(server) == 0 && client == "" {
		return errors.New("comm: no GM protocol given")
	}
	listed, dialed, err := gmProtocols(server, client)
	if err != nil {
		return fmt.Errorf("comm: %w", err)
	}
	var listen, dial func(*sourceState)
	if len(server) > 0 {
		listen = func(state *sourceState) { state.gmServer = listed }
	}
	if client != "" {
		dial = func(state *sourceState) { state.gmClient = dialed }
	}
	return changeSides(role, "protocols", listen, dial)
}
