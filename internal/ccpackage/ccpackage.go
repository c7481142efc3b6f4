// SPDX-License-Identifier: Apache-2.0

// Package ccpackage makes packages of chaincode that runs as a service (type ccaas). [Make] returns the archive for a [Service]: metadata.json,
// and code.tar.gz with connection.json.
package ccpackage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/hyperledger/fabric/common/ccserver"
)

// Service says where a chaincode server is and how peers reach it. Certificates and keys are PEM.
type Service struct {
	Label   string `json:"-"` // of the package
	Address string `json:"address"`
	Mode    string `json:"tls_mode"` // gm or tls
	// RootCert verifies the server. The pair is what the peer shows: both halves of a TLCP pair, or a TLS certificate alone; empty where the
	// server demands none.
	RootCert      string `json:"root_cert"`
	ClientCert    string `json:"client_cert,omitempty"`
	ClientKey     string `json:"client_key,omitempty"`
	ClientEncCert string `json:"client_enc_cert,omitempty"`
	ClientEncKey  string `json:"client_enc_key,omitempty"`
}

// labels are what peers take.
var labels = regexp.MustCompile(`^[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*$`)

// Make returns the package and its id. The same service gives the same bytes.
func Make(s Service) (data []byte, id string, err error) {
	if !labels.MatchString(s.Label) {
		return nil, "", fmt.Errorf("the label %q must be letters and digits, with single . + _ or - between", s.Label)
	}
	connection, err := json.Marshal(struct {
		Service
		DialTimeout string `json:"dial_timeout"`
		TLS         bool   `json:"tls_required"`
		ClientAuth  bool   `json:"client_auth_required"`
	}{s, "10s", true, s.ClientCert != ""})
	if err != nil {
		return nil, "", err
	}
	parsed, err := ccserver.Parse(connection)
	if err == nil {
		err = parsed.Check()
	}
	if err != nil {
		return nil, "", fmt.Errorf("peers would refuse the package: %w", err)
	}
	if data, err = Pack(s.Label, connection); err != nil {
		return nil, "", err
	}
	digest := sha256.Sum256(data) // as peers compute package ids, whatever the network's algorithms
	return data, s.Label + ":" + hex.EncodeToString(digest[:]), nil
}

// Pack returns the package with this label and this connection.json, of which it checks nothing.
func Pack(label string, connection []byte) ([]byte, error) {
	metadata, err := json.Marshal(map[string]string{"type": "ccaas", "label": label})
	if err != nil {
		return nil, fmt.Errorf("encode metadata.json: %w", err)
	}
	code, err := tarball(entry{"connection.json", connection})
	if err != nil {
		return nil, err
	}
	return tarball(entry{"metadata.json", metadata}, entry{"code.tar.gz", code})
}

type entry struct {
	name string
	data []byte
}

// tarball packs files the same way at every call: no times, no owners.
func tarball(entries ...entry) ([]byte, error) {
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.data)), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack %s: %w", e.name, err)
		}
		if _, err := archive.Write(e.data); err != nil {
			return nil, fmt.Errorf("pack %s: %w", e.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return out.Bytes(), nil
}
