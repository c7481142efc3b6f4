// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"errors"

	"github.com/emmansun/gmsm/sm3"
)

// exportKeyingMaterial13 returns keying material of a connection by TLS 1.3 that
// both ends can compute (RFC 8446, section 7.5). No context is the same as an
// empty one.
func (c *Conn) exportKeyingMaterial13(label string, context []byte, length int) ([]byte, error) {
	if len(labelPrefix13)+len(label) > 255 || length < 1 || length > 255*sm3.Size {
		return nil, errors.New("gmtls: the label or the length of exported keying material is too great")
	}
	secret := expandLabel(c.exporter, label, emptyHash[:], secretLen)
	defer clear(secret)
	sum := sm3.Sum(context)
	return expandLabel(secret, labelExporter, sum[:], length), nil
}
