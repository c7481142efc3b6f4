// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// checkUnread refuses a YAML file with one of the names, or one close to it, after the first document. Stock Fabric reads the first only,
// and ignores what follows.
func (n Names) checkUnread(file string) error {
	if ext := filepath.Ext(file); ext != ".yaml" && ext != ".yml" {
		return nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // built in
	}
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for number := 1; ; number++ {
		var document map[string]any
		err := decoder.Decode(&document)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case number == 1:
			continue // the program reads it, in its own way
		case err != nil:
			return fmt.Errorf("%s: document %d, which is not read: %w", file, number, err)
		}
		for _, key := range Keys(document) {
			if slices.ContainsFunc(n.Keys, func(known string) bool { return strings.EqualFold(key, known) }) || nearestName(key, n.Keys, misplaced) != "" {
				return fmt.Errorf("%s has %s in document %d, and only the first is read: join the documents", file, key, number)
			}
		}
	}
}

// Keys returns the keys of the settings in a document, with a dot between sections.
func Keys(document map[string]any) (keys []string) {
	for name, value := range document {
		section, ok := value.(map[string]any)
		if !ok {
			keys = append(keys, name)
			continue
		}
		for _, key := range Keys(section) {
			keys = append(keys, name+"."+key)
		}
	}
	return keys
}
