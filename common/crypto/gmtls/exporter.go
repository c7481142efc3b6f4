// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// maxExport bounds what one call of ExportKeyingMaterial returns, in bytes.
const maxExport = 1 << 16

// exportSecrets are what keying material is derived from after a handshake of
// TLCP.
type exportSecrets struct {
	master         [masterLen]byte
	client, server [randomLen]byte
}

// ExportKeyingMaterial returns length bytes that both ends of the connection
// can compute and nobody else. For one connection they differ by label and
// context; no context and an empty one differ in TLCP and are the same in TLS
// 1.3. It waits for a handshake that is under way, and fails before there is one.
//
// TLCP defines no exporter. This is the one of TLS 1.2 (RFC 5705, section
// 4) over TLCP's PRF. As TLCP has no extended master secret either (RFC 7627), a
// server can give the connections to its client and to another server the same
// secrets. So the value alone does not prove who is at the other end: the
// signer must also sign the name of the intended receiver, and the receiver must
// check that the name is its own.
func (c *Conn) ExportKeyingMaterial(label string, context []byte, length int) ([]byte, error) {
	c.handshakeMu.Lock()
	defer c.handshakeMu.Unlock()
	switch {
	case !c.handshakeDone.Load():
		return nil, errNoHandshake
	case length < 1 || length > maxExport:
		return nil, fmt.Errorf("gmtls: %d bytes of keying material are asked for: there are from 1 to %d", length, maxExport)
	case c.version == VersionTLS13:
		return c.exportKeyingMaterial13(label, context, length)
	}
	return c.exports.export(label, context, length)
}

// errReservedLabel: such a value would be one of the handshake's own.
var errReservedLabel = errors.New("gmtls: this label is one of the protocol's own, and cannot be exported under")

// export is PRF(master secret, label, client random || server random), with the
// length of the context in two bytes and the context behind it where there is one.
func (s *exportSecrets) export(label string, context []byte, length int) ([]byte, error) {
	switch label {
	case labelClient, labelServer, labelMaster, labelKeys:
		return nil, errReservedLabel
	}
	if len(context) > math.MaxUint16 {
		return nil, fmt.Errorf("gmtls: the context of exported keying material has %d bytes, at most %d are allowed", len(context), math.MaxUint16)
	}
	seed := make([]byte, 0, len(label)+2*randomLen+2+len(context))
	seed = append(seed, label...)
	seed = append(seed, s.client[:]...)
	seed = append(seed, s.server[:]...)
	if context != nil {
		seed = binary.BigEndian.AppendUint16(seed, uint16(len(context))) // #nosec G115 -- bounded above
		seed = append(seed, context...)
	}
	var mac hmacSM3
	mac.init(s.master[:])
	defer mac.wipe()
	out := make([]byte, length)
	prf(&mac, out, "", seed, nil) // the label is part of the seed: prf's own has an upper bound
	return out, nil
}
