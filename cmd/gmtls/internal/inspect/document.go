// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/common/ccserver"
	"github.com/hyperledger/fabric/common/loglimit"
)

// json takes in a connection.json of an external chaincode, and the PEM texts in
// any other JSON, connection profiles among them.
func (r *Report) json(where string, data []byte) []*Item {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		r.found(where, cause.Find(cause.Unparsable, "JSON: %v", err))
		return nil
	}
	object, _ := value.(map[string]any)
	item := &Item{Where: where, Kind: kindJSON}
	switch {
	case object["address"] != nil || object["tls_required"] != nil:
		item.Kind = kindConnection
		r.connection(where, data, item)
	case isProfile(sortedKeys(object)):
		item.Kind = kindProfile
	}
	items := r.walk(where, value, 0)
	r.checkRoots(items)
	return append([]*Item{item}, items...)
}

const (
	kindJSON       = "JSON"
	kindYAML       = "YAML"
	kindConnection = "connection.json"
	kindProfile    = "connection profile"
	pathKey        = "path" // in a profile names a file instead of holding its text
)

// documents are the kinds of files that hold certificates for a purpose.
var documents = []string{kindJSON, kindYAML, kindConnection, kindProfile}

// checkRoots finds what stands for authorities in a document and is none.
func (r *Report) checkRoots(items []*Item) {
	for _, i := range certified(items) {
		if !i.cert.IsCA && (strings.Contains(i.Where, ":tlsCACerts") || strings.HasSuffix(i.Where, ":root_cert")) {
			r.found(i.Where, cause.Find(cause.NotACA, "%q is for %s", i.Cert.Subject, strings.Join(i.Cert.Usage, ", ")))
		}
	}
}

// reference takes in a file that a profile names. A file that was named before is not read again, and not told again.
func (r *Report) reference(where, path string) []*Item {
	if r.base == "" {
		return nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.base, path)
	}
	if r.mentions++; r.mentions > maxReferenced {
		r.found("", cause.Find(cause.Unparsable, "profiles name files more than %d times, and not all are read: inspect fewer at a time", maxReferenced))
		return nil
	}
	path = filepath.Clean(path)
	if before, ok := r.referenced[path]; ok {
		var here []*Item
		for _, i := range before {
			other := *i
			other.Where = where
			here = append(here, &other)
		}
		r.checkRoots(here)
		return nil
	}
	items := r.readReferenced(where, path)
	if r.referenced == nil {
		r.referenced = map[string][]*Item{}
	}
	r.referenced[path] = items
	return items
}

func (r *Report) readReferenced(where, path string) []*Item {
	stat, err := os.Stat(path)
	if err == nil && !stat.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	var data []byte
	if err == nil {
		data, err = material.ReadFile(path)
	}
	if err != nil {
		r.found(where, cause.Find(cause.Unparsable, "%s, which it names, cannot be read: %s", loglimit.Printable(path), loglimit.Printable(err.Error())))
		return nil
	}
	items := r.pem(where, data)
	for _, i := range items {
		i.file = path
	}
	r.checkMode(path, stat.Mode(), items)
	return items
}

// isProfile tells connection profiles of SDKs by the keys at their top.
func isProfile(keys []string) bool {
	return slices.ContainsFunc(keys, func(k string) bool {
		return k == "peers" || k == "orderers" || k == "organizations" || k == "certificateAuthorities"
	})
}

// yaml takes in a connection profile, or the PEM texts of any other YAML file.
// ok is false if data is neither.
func (r *Report) yaml(where string, data []byte) (items []*Item, ok bool) {
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil || len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, false
	}
	top := document.Content[0]
	item := &Item{Where: where, Kind: kindYAML}
	var keys []string
	for i := 0; i+1 < len(top.Content); i += 2 {
		keys = append(keys, top.Content[i].Value)
	}
	switch {
	case isProfile(keys):
		item.Kind = kindProfile
	case !bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, false
	}
	items = r.walkYAML(where, top, 0)
	r.checkRoots(items)
	return append([]*Item{item}, items...), true
}

// walkYAML does not follow aliases: what they stand for is met at its anchor.
func (r *Report) walkYAML(where string, node *yaml.Node, depth int) []*Item {
	var items []*Item
	switch {
	case depth > maxDepth:
		r.tooDeep(where)
	case node.Kind == yaml.ScalarNode && strings.Contains(node.Value, "-----BEGIN "):
		return r.pem(where, []byte(node.Value))
	case node.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i].Value, node.Content[i+1]
			if key == pathKey && value.Kind == yaml.ScalarNode {
				items = append(items, r.reference(where, value.Value)...)
				continue
			}
			items = append(items, r.walkYAML(where+":"+loglimit.Printable(key), value, depth+1)...)
		}
	case node.Kind == yaml.SequenceNode:
		for i, element := range node.Content {
			items = append(items, r.walkYAML(fmt.Sprintf("%s[%d]", where, i), element, depth+1)...)
		}
	}
	return items
}

// tooDeep says that a part of a document was not read.
func (r *Report) tooDeep(where string) {
	r.found(where, cause.Find(cause.Unparsable, "it is nested more than %d deep, and what is in it is not read", maxDepth))
}

func (r *Report) walk(where string, value any, depth int) []*Item {
	var items []*Item
	if depth > maxDepth {
		r.tooDeep(where)
		return nil
	}
	switch v := value.(type) {
	case string:
		if strings.Contains(v, "-----BEGIN ") {
			return r.pem(where, []byte(v))
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if path, ok := v[key].(string); ok && key == pathKey {
				items = append(items, r.reference(where, path)...)
				continue
			}
			items = append(items, r.walk(where+":"+loglimit.Printable(key), v[key], depth+1)...)
		}
	case []any:
		for i, element := range v {
			items = append(items, r.walk(fmt.Sprintf("%s[%d]", where, i), element, depth+1)...)
		}
	}
	return items
}

// connection checks a connection.json as the builder does when its package is installed.
func (r *Report) connection(where string, data []byte, item *Item) {
	c, err := ccserver.Parse(data)
	if err == nil {
		item.Note = "address " + loglimit.Printable(c.Address)
		if !c.TLSRequired {
			item.Note += ", without TLS"
		}
		err = c.Check()
	}
	if err != nil {
		r.found(where, cause.Find(cause.Unparsable, "%s", loglimit.Printable(err.Error())))
	}
}
