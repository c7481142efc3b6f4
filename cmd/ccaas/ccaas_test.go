// SPDX-License-Identifier: Apache-2.0

package ccaas

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDetect(t *testing.T) {
	for text, want := range map[string]string{
		`{"type":"ccaas","label":"x"}`:      "",
		`{"type":"CCAAS"}`:                  "",
		`{"type":"golang","path":"x"}`:      `not a package of type ccaas, but "golang"`,
		`{}`:                                `not a package of type ccaas`,
		`{`:                                 "not valid JSON",
		strings.Repeat(" ", maxFile) + "{}": "longer than",
	} {
		err := Detect(folder(t, map[string]string{"metadata.json": text}))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v", text, err)
		}
	}
	if err := Detect(folder(t, map[string]string{"metadata.json": `{"type":"node"}`})); !errors.Is(err, ErrNotOurs) {
		t.Error(err)
	}
	if err := Detect(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// rootCert is the PEM text of a certificate in JSON.
func rootCert(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(string(gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").CertPEM))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestBuildAndRelease follows a package through both steps and reads what the peer reads: Fabric's documentation of
// external builders names chaincode/server/connection.json and statedb/couchdb/indexes.
func TestBuildAndRelease(t *testing.T) {
	source := folder(t, map[string]string{
		"connection.json": `{"address":"{{.peer}}-asset:9999","dial_timeout":"10s","tls_required":true,` +
			`"root_cert":` + rootCert(t) + `,"extra":{"n":12345678901234567890}}`,
		"META-INF/statedb/couchdb/indexes/owner.json": `{"index":{}}`,
		"META-INF/other/file":                         "not for the peer",
	})
	built, released := t.TempDir(), t.TempDir()
	if err := Build(source, built, `{"peer":"peer0","unused":1}`); err != nil {
		t.Fatal(err)
	}
	if err := Release(built, released); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(released, "chaincode", "server", "connection.json")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Address     string `json:"address"`
		DialTimeout string `json:"dial_timeout"`
		TLSRequired bool   `json:"tls_required"`
		RootCert    string `json:"root_cert"`
		Extra       struct {
			N json.Number `json:"n"`
		} `json:"extra"`
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Address != "peer0-asset:9999" || got.DialTimeout != "10s" || !got.TLSRequired ||
		!strings.HasPrefix(got.RootCert, "-----BEGIN CERTIFICATE-----\n") || got.Extra.N != "12345678901234567890" {
		t.Errorf("%+v", got)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(err, info.Mode())
	}
	if data, err := os.ReadFile(filepath.Join(released, "statedb", "couchdb", "indexes", "owner.json")); err != nil || string(data) != `{"index":{}}` {
		t.Error(err, string(data))
	}
	if entries, err := os.ReadDir(released); err != nil || len(entries) != 2 {
		t.Error(err, entries)
	}
}

func TestBuildRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                   `"address" is missing`,
		`{"address":1}`:        `"address" must be text`,
		`{"address":"a:1"} {}`: "something follows",
		`{"address":"a:1","tls_required":true,"tls_required":false}`: `"tls_required" is there twice`,
		`{"address":"a:1","tls_mode":"tls"}`:                         `"tls_required" must be true`,
		`{"address":"a:1","root_cert":"r","tlsRequired":true}`:       `"tls_required" is missing`,
		`[]`:                      "not a valid JSON object",
		`{"address":"{{.gone}}"}`: "cannot be filled",
		`{"address":"{{"}`:        "cannot be filled",
		`{"address":"{{range 9000000000000000000}}{{end}}a:1"}`:                             "write {{.name}}",
		`{"address":"{{define \"a\"}}x{{end}}{{template \"a\"}}:1"}`:                        "write {{.name}}",
		`{"address":"{{printf \"%0999999d\" 1}}:1"}`:                                        "write {{.name}}",
		`{"address":"{{if .peer}}a{{end}}:1"}`:                                              "write {{.name}}",
		`{"address":"{{.peer}}{{.}}:1"}`:                                                    "write {{.name}}",
		`{"address":"{{.peer}}{{.peer | len}}:1"}`:                                          "write {{.name}}",
		`{"address":"a:1","owner":"{{range 9000000000000000000}}aaaaaaaaa{{end}}"}`:         "write {{.name}}",
		`{"address":"{{.peer.name}}:1"}`:                                                    `"peer" is not what {{.peer.name}} needs`,
		`{"address":"{{.host}}:1"}`:                                                         `"host" is not what {{.host}} needs`,
		`{"address":"{{.host.gone}}:1"}`:                                                    `no member "gone"`,
		`{"address":"{{.null}}:1"}`:                                                         `no member "null"`,
		`{"address":"a:1","tls_required":"true"}`:                                           "must be true or false",
		`{"address":"a:1","tls_required":true}`:                                             `"root_cert" is missing`,
		`{"address":"a:1","client_auth_required":true,"client_key":"k","client_cert":"c"}`:  `"tls_required" must be true`,
		`{"address":"a:1","tls_required":true,"root_cert":"r","client_auth_required":true}`: `"client_cert" is missing or empty`,
		`{"address":"a:1","tls_required":true,"root_cert":"/a/ca.crt"}`:                     `"root_cert" must be the PEM text`,
	} {
		output := t.TempDir()
		err := Build(folder(t, map[string]string{"connection.json": text}), output, `{"peer":"p","host":{"name":"h"},"null":null}`)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
		if entries, _ := os.ReadDir(output); len(entries) != 0 {
			t.Errorf("%s: wrote %v", text, entries)
		}
	}
	good := folder(t, map[string]string{"connection.json": `{"address":"a:1"}`})
	if err := Build(good, t.TempDir(), "["); err == nil || !strings.Contains(err.Error(), ConfigVariable) {
		t.Error(err)
	}
	if err := Build(good, t.TempDir(), ""); err != nil {
		t.Error(err)
	}
	stock := folder(t, map[string]string{"connection.json": `{"address":"{{.peername}}_basic_ccaas:9999","dial_timeout":"10s","tls_required":false,"root_cert":"r"}`})
	if err := Build(stock, t.TempDir(), `{"peername":"peer0org1"}`); err != nil {
		t.Error(err)
	}
	if err := Build(t.TempDir(), t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "must hold connection.json") {
		t.Error(err)
	}
}

func TestTemplates(t *testing.T) {
	const config = `{"peer":"peer0","host":{"name":"h","port":7000000,"on":true},"机":"名"}`
	for text, want := range map[string]string{
		"{{.peer}}_asset:9999":                         "peer0_asset:9999",
		"{{ .peer }}.{{.peer}}":                        "peer0.peer0",
		"a{{.host.name}}b{{.host.port}}c{{.host.on}}d": "ahb7000000ctrued",
		"}} {x} {{.机}}":                                "}} {x} 名",
	} {
		source := folder(t, map[string]string{"connection.json": `{"address":"a:1","owner":"` + text + `"}`})
		built := t.TempDir()
		if err := Build(source, built, config); err != nil {
			t.Fatal(text, err)
		}
		data, err := os.ReadFile(filepath.Join(built, "connection.json"))
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Owner string }
		if err := json.Unmarshal(data, &got); err != nil || got.Owner != want {
			t.Errorf("%s: %v %q", text, err, got.Owner)
		}
	}
}

// TestTemplatesAreBounded: a value of the peer's environment can be long, and a package name it often.
func TestTemplatesAreBounded(t *testing.T) {
	config := `{"a":"` + strings.Repeat("x", 100_000) + `"}`
	for name, text := range map[string]string{
		"one member":   `{"address":"` + strings.Repeat("{{.a}}", 100_000) + `"}`,
		"many members": `{"b":"{{.a}}{{.a}}{{.a}}{{.a}}","c":"{{.a}}{{.a}}{{.a}}{{.a}}","d":"{{.a}}{{.a}}{{.a}}{{.a}}","address":"a:1"}`,
	} {
		err := Build(folder(t, map[string]string{"connection.json": text}), t.TempDir(), config)
		if err == nil || !strings.Contains(err.Error(), "becomes longer than") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLinks checks that a package cannot make the builder read other files of the host.
func TestLinks(t *testing.T) {
	secret := folder(t, map[string]string{"secret": `{"address":"a:1"}`})
	linked := t.TempDir()
	if err := os.Symlink(filepath.Join(secret, "secret"), filepath.Join(linked, "connection.json")); err != nil {
		t.Fatal(err)
	}
	if err := Build(linked, t.TempDir(), ""); err == nil {
		t.Error("a linked connection.json was read")
	}
	source := folder(t, map[string]string{"connection.json": `{"address":"a:1"}`, "META-INF/statedb/x": ""})
	if err := os.Symlink(secret, filepath.Join(source, "META-INF", "statedb", "link")); err != nil {
		t.Fatal(err)
	}
	if err := Build(source, t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "neither a file nor a folder") {
		t.Error(err)
	}
	outside := folder(t, map[string]string{"statedb/secret": "x"})
	source = folder(t, map[string]string{"connection.json": `{"address":"a:1"}`})
	if err := os.Symlink(outside, filepath.Join(source, "META-INF")); err != nil {
		t.Fatal(err)
	}
	if err := Build(source, t.TempDir(), ""); err == nil {
		t.Error("a folder outside the package was read")
	}
}
