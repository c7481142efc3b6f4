// SPDX-License-Identifier: Apache-2.0

package ccserver

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// gm is a connection.json that the peer can use.
func gm(t *testing.T) map[string]any {
	t.Helper()
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "localhost")
	return map[string]any{
		"address": "cc.example.com:9999", "dial_timeout": "10s", "tls_required": true, "tls_mode": "gm", "client_auth_required": true,
		"root_cert": string(ca.CertPEM), "client_cert": string(pair.SignCert), "client_key": string(pair.SignKey),
		"client_enc_cert": string(pair.EncCert), "client_enc_key": string(pair.EncKey),
	}
}

func check(t *testing.T, members map[string]any) error {
	t.Helper()
	text, err := json.Marshal(members)
	require.NoError(t, err)
	c, err := Parse(text)
	if err != nil {
		return err
	}
	return c.Check()
}

func TestGoodConnections(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"whole":                    func(map[string]any) {},
		"without client":           func(m map[string]any) { m["client_auth_required"] = false },
		"without timeout":          func(m map[string]any) { delete(m, "dial_timeout") },
		"nanoseconds":              func(m map[string]any) { m["dial_timeout"] = 10000000000 },
		"capital letters":          func(m map[string]any) { m["Address"] = m["address"]; delete(m, "address") },
		"a template":               func(m map[string]any) { m["address"] = "{{ .host }}:9999" },
		"a socket":                 func(m map[string]any) { m["address"] = "unix:///run/cc.sock" },
		"a target of gRPC":         func(m map[string]any) { m["address"] = "dns:///cc.example.com:9999" },
		"a field of somebody else": func(m map[string]any) { m["owner"] = []int{1} },
		"in the clear": func(m map[string]any) {
			clear(m)
			m["address"] = "127.0.0.1:9999"
		},
		"in the clear, with the certificates of TLS": func(m map[string]any) {
			m["tls_required"], m["client_auth_required"] = false, false
			for _, ours := range []string{"tls_mode", "client_enc_cert", "client_enc_key"} {
				delete(m, ours)
			}
		},
		"in the clear, as fabric-samples have it": func(m map[string]any) {
			clear(m)
			m["address"], m["dial_timeout"], m["tls_required"] = "{{.peername}}_basic_ccaas:9999", "10s", false
		},
		"in the clear, with empty certificates": func(m map[string]any) {
			clear(m)
			m["address"], m["root_cert"], m["client_cert"], m["client_key"], m["tls_mode"] = "a:1", "", "", "", ""
		},
	} {
		m := gm(t)
		change(m)
		require.NoError(t, check(t, m), name)
	}
}

// TestBadConnections: each is refused by the name of its field.
func TestBadConnections(t *testing.T) {
	other := gm(t)
	for name, c := range map[string]struct {
		field  string
		change func(map[string]any)
	}{
		"no address":           {"address", func(m map[string]any) { delete(m, "address") }},
		"no port":              {"address", func(m map[string]any) { m["address"] = "cc.example.com" }},
		"port is not a number": {"address", func(m map[string]any) { m["address"] = "cc.example.com:http" }},
		"port is 0":            {"address", func(m map[string]any) { m["address"] = "cc.example.com:0" }},
		"a URL":                {"address", func(m map[string]any) { m["address"] = "https://cc.example.com:9999" }},
		"a space in front":     {"address", func(m map[string]any) { m["address"] = " cc.example.com:9999" }},
		"a line break":         {"address", func(m map[string]any) { m["address"] = "cc.example.com\n:9999" }},
		"null as timeout":      {"dial_timeout", func(m map[string]any) { m["dial_timeout"] = nil }},
		"no host":              {"address", func(m map[string]any) { m["address"] = ":9999" }},
		"address is a number":  {"address", func(m map[string]any) { m["address"] = 9999 }},
		"address twice":        {"address", func(m map[string]any) { m["Address"] = "a:1" }},
		"TLS again, long s":    {"tls_required", func(m map[string]any) { m["tl\u017f_required"] = false }},
		"mode again, long s":   {"tls_mode", func(m map[string]any) { m["tl\u017f_mode"] = "" }},
		"address again":        {"address", func(m map[string]any) { m["addre\u017fs"] = "elsewhere:1" }},
		"key again, Kelvin":    {"client_key", func(m map[string]any) { m["client_\u212aey"] = "" }},
		"timeout without unit": {"dial_timeout", func(m map[string]any) { m["dial_timeout"] = 10 }},
		"timeout as bare text": {"dial_timeout", func(m map[string]any) { m["dial_timeout"] = "10" }},
		"timeout of no type":   {"dial_timeout", func(m map[string]any) { m["dial_timeout"] = true }},
		"timeout below 0":      {"dial_timeout", func(m map[string]any) { m["dial_timeout"] = "-1s" }},
		"flag as text":         {"tls_required", func(m map[string]any) { m["tls_required"] = "true" }},
		"mode in capitals":     {"tls_mode", func(m map[string]any) { m["tls_mode"] = "GM" }},
		"mode dual":            {"tls_mode", func(m map[string]any) { m["tls_mode"] = "dual" }},
		"protocol in smalls":   {"gm_protocol", func(m map[string]any) { m["gm_protocol"] = "tls13" }},
		"protocol without gm": {"gm_protocol", func(m map[string]any) {
			delete(m, "client_enc_cert")
			delete(m, "client_enc_key")
			m["tls_mode"], m["gm_protocol"] = "tls", "TLS13"
		}},
		"gm without TLS":       {"tls_required", func(m map[string]any) { m["tls_required"] = false }},
		"client without TLS":   {"tls_required", func(m map[string]any) { clear(m); m["address"], m["client_auth_required"] = "a:1", true }},
		"mode tls without TLS": {"tls_required", func(m map[string]any) { clear(m); m["address"], m["tls_mode"] = "a:1", "tls" }},
		"mode tls, TLS off": {"tls_required", func(m map[string]any) {
			clear(m)
			m["address"], m["tls_mode"], m["tls_required"] = "a:1", "tls", false
		}},
		"roots, nothing on TLS":  {"tls_required", only("root_cert")},
		"a pair, nothing on TLS": {"tls_required", only("client_cert")},
		"a key, nothing on TLS":  {"tls_required", only("client_key")},
		"roots, TLS is null":     {"tls_required", func(m map[string]any) { only("root_cert")(m); m["tls_required"] = nil }},
		"roots, TLS is misspelt": {"tls_required", func(m map[string]any) { only("root_cert")(m); m["tlsRequired"] = true }},
		"pair without gm":        {"client_enc_cert", func(m map[string]any) { delete(m, "tls_mode") }},
		"no root":                {"root_cert", func(m map[string]any) { delete(m, "root_cert") }},
		"root is a path":         {"root_cert", func(m map[string]any) { m["root_cert"] = "/etc/ca.crt" }},
		"root is a key":          {"root_cert", func(m map[string]any) { m["root_cert"] = m["client_key"] }},
		"SM2 root for TLS": {"root_cert", func(m map[string]any) {
			clear(m)
			m["address"], m["tls_required"], m["root_cert"] = "a:1", true, other["root_cert"]
		}},
		"standard root for gm": {"root_cert", func(m map[string]any) {
			m["root_cert"] = string(gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").CertPEM)
		}},
		"no client certificate":  {"client_cert", func(m map[string]any) { delete(m, "client_cert") }},
		"no client key":          {"client_key", func(m map[string]any) { delete(m, "client_key") }},
		"no encryption pair":     {"client_enc_cert", func(m map[string]any) { delete(m, "client_enc_cert"); delete(m, "client_enc_key") }},
		"no encryption key":      {"client_enc_key", func(m map[string]any) { delete(m, "client_enc_key") }},
		"key of another":         {"client_key", func(m map[string]any) { m["client_key"] = other["client_key"] }},
		"encryption key swapped": {"client_enc_key", func(m map[string]any) { m["client_enc_key"] = m["client_key"] }},
		"certificate is a key":   {"client_cert", func(m map[string]any) { m["client_cert"] = m["client_key"] }},
		"key is a path":          {"client_key", func(m map[string]any) { m["client_key"] = "/etc/client.key" }},
		"halves exchanged": {"client_cert", func(m map[string]any) {
			m["client_cert"], m["client_enc_cert"] = m["client_enc_cert"], m["client_cert"]
			m["client_key"], m["client_enc_key"] = m["client_enc_key"], m["client_key"]
		}},
		"halves of two owners": {"client_enc_cert", func(m map[string]any) {
			m["client_enc_cert"], m["client_enc_key"] = other["client_enc_cert"], other["client_enc_key"]
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := gm(t)
			c.change(m)
			err := check(t, m)
			var field *FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, c.field, field.Field, "%v", err)
		})
	}
	for _, text := range []string{"", "[]", "null", "{} {}", `{"address"`, `{"address":"a:1"`, `{"address":"a:1",}`, `{"address":"a:1"]`, `{1:2}`, `{"address" "a:1"}`, `{"address":"a:1" "owner":1}`} {
		_, err := Parse([]byte(text))
		require.Error(t, err, text)
	}
}

// only leaves the address and one field.
func only(field string) func(map[string]any) {
	return func(m map[string]any) {
		value := m[field]
		clear(m)
		m["address"], m[field] = "a:1", value
	}
}

// TestSameNameTwice: decoders take the last, and who reads the file the first.
func TestSameNameTwice(t *testing.T) {
	for text, field := range map[string]string{
		`{"address":"a:1","tls_required":true,"tls_required":false}`:      "tls_required",
		`{"address":"a:1","tls_required":true,"tls\u005frequired":false}`: "tls_required",
		`{"address":"a:1","owner":1,"owner":1}`:                           "owner",
		`{"address":"a:1","tls_required":true,"TLS_required":false}`:      "tls_required",
	} {
		_, err := Parse([]byte(text))
		var wrong *FieldError
		require.ErrorAs(t, err, &wrong, text)
		require.Equal(t, field, wrong.Field, text)
		require.ErrorContains(t, err, "is there twice", text)
	}
	_, err := Parse([]byte(`{"address":"a:1","owner":{"a":1,"b":[{"a":1},{"a":1}]}}`))
	require.NoError(t, err)
}

// peerFields has the names that the peer decodes, see ChaincodeServerUserData of its external builder.
type peerFields struct {
	Address            string `json:"address"`
	DialTimeout        any    `json:"dial_timeout"`
	TLSRequired        bool   `json:"tls_required"`
	ClientAuthRequired bool   `json:"client_auth_required"`
	ClientKey          string `json:"client_key"`
	ClientCert         string `json:"client_cert"`
	RootCert           string `json:"root_cert"`
	TLSMode            string `json:"tls_mode"`
	GMProtocol         string `json:"gm_protocol"`
	ClientEncCert      string `json:"client_enc_cert"`
	ClientEncKey       string `json:"client_enc_key"`

	tlsSaid bool
}

// TestNamesAsThePeerReadsThem: whatever letters a name has, it is a field here if it is one for the peer.
func TestNamesAsThePeerReadsThem(t *testing.T) {
	for _, field := range fieldNames {
		for _, other := range []func(string) string{
			strings.ToUpper, strings.ToTitle,
			func(s string) string { return strings.ReplaceAll(s, "s", "\u017f") },
			func(s string) string { return strings.ReplaceAll(s, "k", "\u212a") },
			func(s string) string { return strings.ReplaceAll(strings.ToUpper(s), "S", "\u017f") },
			func(s string) string { return strings.ReplaceAll(s, "i", "\u0130") }, // no i
			func(s string) string { return strings.ReplaceAll(s, "_", "-") },
		} {
			for _, value := range []any{"x", true} {
				text, err := json.Marshal(map[string]any{other(field): value})
				require.NoError(t, err)
				var peer peerFields
				decodeErr := json.Unmarshal(text, &peer)
				c, err := Parse(text)
				require.Equal(t, decodeErr == nil, err == nil, "%s: %v, %v", text, decodeErr, err)
				if err == nil {
					peer.tlsSaid = c.tlsSaid // which is not the peer's
					require.Equal(t, Connection(peer), *c, "%s", text)
				}
			}
		}
	}
}

// TestCases: files that people had.
func TestCases(t *testing.T) {
	for file, field := range map[string]string{
		"mode-GM": "tls_mode", "timeout-number": "dial_timeout", "no-enc": "client_enc_cert", "root-path": "root_cert",
	} {
		text, err := os.ReadFile(filepath.Join("../crypto/material/testdata/cases/connection-json", file+".json"))
		require.NoError(t, err)
		c, err := Parse(text)
		if err == nil {
			err = c.Check()
		}
		var wrong *FieldError
		require.True(t, errors.As(err, &wrong), "%s: %v", file, err)
		require.Equal(t, field, wrong.Field, file)
	}
}
