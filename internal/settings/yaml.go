// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"errors"
	"io"

	"gopkg.in/yaml.v3"
)

// DecodeOne decodes a text of one YAML document. What follows the first document would not be read, and is refused. The
// error of an empty text is io.EOF.
func DecodeOne(decoder *yaml.Decoder, into any) error {
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.New("something follows the first document, and one is read: join them")
	}
	return nil
}
