// SPDX-License-Identifier: Apache-2.0

// Package wireform reads messages in the wire format of Protocol Buffers field by field, without a copy, and bounds the fields of one before it
// is parsed: an empty part takes two bytes in it, and about a hundred in memory.
package wireform

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Each calls do with the number, the wire type and the encoded value of each field of a message, and stops at the first error. It does not
// look into values.
func Each(message []byte, do func(number protowire.Number, kind protowire.Type, value []byte) error) error {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		size := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if size < 0 {
			return protowire.ParseError(size)
		}
		if err := do(number, kind, message[tag:tag+size]); err != nil {
			return err
		}
		message = message[tag+size:]
	}
	return nil
}

// Fields has the bounds of a message, by the numbers of its fields. Others are not looked into.
type Fields map[protowire.Number]Field

// Field is the bounds of a field. A bound that is zero does not hold.
type Field struct {
	Most   int // how many there are of it
	Bytes  int // the length of each, if it has a length
	Inside Fields
}

// Check says whether a message is well formed, as far as it looks into it, and within its bounds. It keeps nothing, and stops at the first fault.
func (f Fields) Check(message []byte) error {
	count := make(map[protowire.Number]int, len(f))
	return Each(message, func(number protowire.Number, kind protowire.Type, value []byte) error {
		bounds, known := f[number]
		if !known {
			return nil
		}
		count[number]++
		if bounds.Most > 0 && count[number] > bounds.Most {
			return fmt.Errorf("more than %d of field %d", bounds.Most, number)
		}
		if err := bounds.check(kind, value); err != nil {
			return fmt.Errorf("field %d: %w", number, err)
		}
		return nil
	})
}

func (f Field) check(kind protowire.Type, value []byte) error {
	if kind != protowire.BytesType {
		return nil
	}
	content, _ := protowire.ConsumeBytes(value)
	if f.Bytes > 0 && len(content) > f.Bytes {
		return fmt.Errorf("%d bytes are more than %d", len(content), f.Bytes)
	}
	if f.Inside == nil {
		return nil
	}
	return f.Inside.Check(content)
}
