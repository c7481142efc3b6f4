// SPDX-License-Identifier: Apache-2.0

package wireform

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

func field(number protowire.Number, content ...byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

func TestBounds(t *testing.T) {
	bounds := Fields{1: {Bytes: 3}, 2: {Most: 2, Inside: Fields{4: {Most: 1, Bytes: 1}}}}
	number := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1<<60)
	for name, good := range map[string][]byte{
		"nothing":          nil,
		"at the bounds":    bytes.Join([][]byte{field(1, 1, 2, 3), field(2, field(4, 9)...), field(2)}, nil),
		"others":           bytes.Join([][]byte{field(7, make([]byte, 100)...), field(3), field(3), field(3)}, nil),
		"a number instead": number,
		"field 4 outside":  bytes.Repeat(field(4, 1, 2), 3),
	} {
		require.NoError(t, bounds.Check(good), name)
	}
	for text, bad := range map[string][]byte{
		"field 1: 4 bytes are more than 3":          field(1, 1, 2, 3, 4),
		"more than 2 of field 2":                    append(bytes.Repeat(field(2), 3), 0xff),
		"field 2: more than 1 of field 4":           field(2, bytes.Repeat(field(4), 2)...),
		"field 2: field 4: 2 bytes are more than 1": field(2, field(4, 1, 2)...),
		"unexpected EOF":                            field(1, 1, 2, 3)[:4],
		"field 2: unexpected EOF":                   field(2, 4<<3),
		// Some parsers take the lower bits of such a number, and others refuse it.
		"invalid field number": append(protowire.AppendVarint(nil, 1<<36|2<<3|2), 0),
	} {
		require.ErrorContains(t, bounds.Check(bad), text)
	}
}
