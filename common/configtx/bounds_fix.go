// SPDX-License-Identifier: Apache-2.0

package configtx

import (
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hyperledger/fabric/internal/wireform"
	"github.com/hyperledger/fabric/protoutil"
)

const (
	signaturesAtMost = 1000

	// copiedAtMost bounds in bytes the copies of an update, of which each signature gets one.
	copiedAtMost = 128 << 20

	// mappedAtMost bounds in bytes what is kept of the read set and the write set while an update is judged: each element by its whole path.
	mappedAtMost = 32 << 20

	// elementSize is more than an element takes beside its path, and levelSize what a level of a path takes beside its name.
	elementSize, levelSize = 256, 17
)

// checkCost refuses an update that takes far more memory than it has bytes. Any client can send one: no policy is asked before. It is
// judged before it is parsed, as empty elements take many times their bytes.
func checkCost(update *cb.Envelope) error {
	payload, err := protoutil.UnmarshalPayload(update.GetPayload())
	if err != nil {
		return err
	}
	signatures, size, sets := 0, 0, mapped{left: mappedAtMost}
	err = eachField(payload.Data, func(number protowire.Number, content []byte) error {
		switch number {
		case 1: // config_update
			size = max(size, len(content))
			return sets.update(content)
		case 2: // signatures
			signatures++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if signatures > signaturesAtMost || signatures*size > copiedAtMost {
		return fmt.Errorf("the update has %d bytes and %d signatures: more than %d signatures, or %d MiB if each has a copy of it, are refused",
			size, signatures, signaturesAtMost, copiedAtMost>>20)
	}
	return nil
}

// mapped counts what is kept of the sets of an update.
type mapped struct{ left int }

func (m *mapped) update(encoded []byte) error {
	return eachField(encoded, func(number protowire.Number, set []byte) error {
		if number == 2 || number == 3 { // read_set, write_set
			return m.group(set, levelSize)
		}
		return nil
	})
}

func (m *mapped) group(encoded []byte, path int) error {
	return eachField(encoded, func(number protowire.Number, entry []byte) error {
		if number < 2 || number > 4 { // groups, values, policies
			return nil
		}
		below := path + levelSize
		if err := eachField(entry, func(number protowire.Number, name []byte) error {
			if number == 1 {
				below = max(below, path+levelSize+len(name))
			}
			return nil
		}); err != nil {
			return err
		}
		if err := m.element(below); err != nil || number != 2 {
			return err
		}
		return eachField(entry, func(number protowire.Number, group []byte) error {
			if number == 2 {
				return m.group(group, below)
			}
			return nil
		})
	})
}

func (m *mapped) element(path int) error {
	if m.left -= elementSize + path; m.left < 0 {
		return fmt.Errorf("the update names too many elements, or by too long paths: its read set and write set may take %d MiB", mappedAtMost>>20)
	}
	return nil
}

// eachField calls do with each field of an encoded message that has a length.
func eachField(message []byte, do func(protowire.Number, []byte) error) error {
	return wireform.Each(message, func(number protowire.Number, kind protowire.Type, value []byte) error {
		if kind != protowire.BytesType {
			return nil
		}
		content, _ := protowire.ConsumeBytes(value)
		return do(number, content)
	})
}
