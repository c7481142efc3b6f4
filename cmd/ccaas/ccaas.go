// SPDX-License-Identifier: Apache-2.0

// Package ccaas implements the three steps of the external builder for chaincode that runs as a server. When a package of type ccaas is
// installed, the peer runs them as detect, build and release. Such a package contains no code. It contains connection.json with the server's
// address, and optionally indexes for CouchDB.
//
// The builder does not start the server. Whoever runs the chaincode starts it.
package ccaas

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hyperledger/fabric/common/ccserver"
)

// Type is the package type in metadata.json that this builder claims.
const Type = "ccaas"

// ConfigVariable names the environment variable with a JSON object whose members the templates in connection.json
// use: with {"peername":"peer0"}, the address "{{.peername}}-asset:9999" becomes "peer0-asset:9999". The peer passes
// it on when core.yaml lists it under the builder's propagateEnvironment. Members of members are {{.name.name}}. A template has nothing else.
const ConfigVariable = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"

const (
	connectionFile = "connection.json"
	metaFolder     = "META-INF"
	indexFolder    = "statedb"

	// maxFile bounds the JSON files and indexes that a package brings.
	maxFile = 1 << 20
)

// ErrNotOurs means that a package is of another type.
var ErrNotOurs = errors.New("not a package of type " + Type)

// Detect returns nil when the package described in metadataDir is of type ccaas, ErrNotOurs when it is of another.
func Detect(metadataDir string) error {
	data, err := readFrom(metadataDir, "metadata.json")
	if err != nil {
		return err
	}
	var metadata struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &metadata); err != nil {
		return fmt.Errorf("metadata.json is not valid JSON: %w", err)
	}
	if !strings.EqualFold(metadata.Type, Type) {
		return fmt.Errorf("%w, but %q", ErrNotOurs, metadata.Type)
	}
	return nil
}

// Build checks connection.json in sourceDir, fills its templates from config (the text of ConfigVariable, which may be
// empty), and writes it to outputDir together with the package's index definitions.
func Build(sourceDir, outputDir, config string) error {
	data, err := readFrom(sourceDir, connectionFile)
	if err != nil {
		return fmt.Errorf("the chaincode package's code.tar.gz must hold %s: %w", connectionFile, err)
	}
	data, err = connection(data, config)
	if err != nil {
		return fmt.Errorf("%s: %w", connectionFile, err)
	}
	// The file may hold the key with which the peer authenticates to the chaincode server.
	if err := os.WriteFile(filepath.Join(outputDir, connectionFile), data, 0o600); err != nil {
		return err
	}
	return copyTree(sourceDir, filepath.Join(outputDir, metaFolder, indexFolder))
}

// Release hands the results of Build in buildDir to the peer: the connection below chaincode/server and the indexes
// below statedb.
func Release(buildDir, releaseDir string) error {
	data, err := readFrom(buildDir, connectionFile)
	if err != nil {
		return err
	}
	server := filepath.Join(releaseDir, "chaincode", "server")
	if err := os.MkdirAll(server, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(server, connectionFile), data, 0o600); err != nil {
		return err
	}
	return copyTree(buildDir, filepath.Join(releaseDir, indexFolder))
}

// connection fills the templates in the text members of a connection and checks what the peer will ask for. Members
// that it does not know pass through.
func connection(data []byte, config string) ([]byte, error) {
	members, err := ccserver.Members(data)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	if config != "" {
		if err := json.Unmarshal([]byte(config), &values); err != nil {
			return nil, fmt.Errorf("the environment variable %s does not hold a valid JSON object: %w", ConfigVariable, err)
		}
	}
	size := 0
	for name, value := range members {
		text, ok := value.(string)
		if !ok || !strings.Contains(text, "{{") {
			continue
		}
		filled, err := fill(text, values)
		if size += len(filled); err == nil && size > maxFile { // which the next step would not read
			err = fmt.Errorf("the file becomes longer than %d bytes: shorten it", maxFile)
		}
		if err != nil {
			return nil, fmt.Errorf("the template in %q cannot be filled from the environment variable %s: %w", name, ConfigVariable, err)
		}
		members[name] = filled
	}
	c, err := ccserver.FromMembers(members)
	if err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// field is the one thing that a template may have: {{.name}}, or {{.name.name}} for a member of a member. Those of Go's text/template
// are programs: a package, which nobody reads as code, could loop in the peer's builder for ever.
var field = regexp.MustCompile(`\{\{\s*((?:\.[\pL\p{Nd}_]+)+)\s*\}\}`)

func fill(text string, values map[string]any) (string, error) {
	if strings.Contains(field.ReplaceAllString(text, " "), "{{") {
		return "", errors.New("write {{.name}}: a template has fields, and nothing else")
	}
	var out strings.Builder
	last := 0
	for _, at := range field.FindAllStringSubmatchIndex(text, -1) {
		value, err := lookup(values, text[at[2]+1:at[3]])
		if err != nil {
			return "", err
		}
		out.WriteString(text[last:at[0]] + value)
		if last = at[1]; out.Len() > maxFile { // a long value many times
			return "", fmt.Errorf("it becomes longer than %d bytes: shorten it", maxFile)
		}
	}
	out.WriteString(text[last:])
	return out.String(), nil
}

// lookup returns the text of a member. The path has dots if it is a member of a member.
func lookup(values map[string]any, path string) (string, error) {
	name, below, deeper := strings.Cut(path, ".")
	switch value := values[name].(type) {
	case nil:
		return "", fmt.Errorf("it has no member %q: add it there, or correct the template", name)
	case map[string]any:
		if deeper {
			return lookup(value, below)
		}
	case string:
		if !deeper {
			return value, nil
		}
	case float64, bool:
		if text, err := json.Marshal(value); err == nil && !deeper {
			return string(text), nil
		}
	}
	return "", fmt.Errorf("its member %q is not what {{.%s}} needs: text, a number, true or false", name, path)
}

// copyTree copies the index definitions of a package, if it has any. Links and devices are refused: they could bring
// files of the peer's host into what it serves.
func copyTree(from, to string) error {
	root, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer root.Close()
	top := metaFolder + "/" + indexFolder
	if _, err := root.Stat(top); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fs.WalkDir(root.FS(), top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(strings.TrimPrefix(name, top)))
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a folder", name)
		}
		data, err := readBounded(root, name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

func readFrom(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readBounded(root, name)
}

// readBounded reads a regular file that lies below root, whatever links the package brings.
func readBounded(root *os.Root, name string) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is longer than %d bytes", name, maxFile)
	}
	return data, err
}
