// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// startTLS does what a node does with its tls folder.
func startTLS(dir, password string) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	_, err := comm.NewSource(comm.SourceConfig{
		Role: "test", ServerMode: comm.ModeGM,
		Load: comm.Files{
			SignCert: in("server-sign.crt"), SignKey: in("server-sign.key"), EncCert: in("server-enc.crt"), EncKey: in("server-enc.key"),
			GMKeyPassword: password, ServerRootCAs: []string{in("gm-ca.crt")},
		}.Load,
	})
	return err
}

// passwordFile opens the keys of GmSSL.
func passwordFile(t *testing.T) string {
	t.Helper()
	return gmtlstest.WriteFile(t, t.TempDir(), "password", []byte("1234\n"))
}

// tlsRows are folders with the files of a TLCP pair.
func tlsRows(t *testing.T) map[string]row {
	t.Helper()
	at := func(name string) []byte { return read(t, "base/peer/tls/"+name) }
	sign, signKey, enc, encKey := at("server-sign.crt"), at("server-sign.key"), at("server-enc.crt"), at("server-enc.key")
	return map[string]row{
		"as it is":                {nil, true},
		"signing in DER":          {put{"server-sign.crt": read(t, "tlcp-files/der.crt")}, true},
		"keys in DER":             {put{"server-sign.key": der(t, signKey), "server-enc.key": der(t, encKey)}, true},
		"byte order marks":        {put{"server-sign.crt": mark(sign), "server-enc.key": mark(encKey)}, true},
		"bad name":                {put{"server-sign.crt": read(t, "tlcp-files/bad-name.crt")}, false},
		"P-256":                   {put{"server-sign.crt": read(t, "tlcp-files/p256.crt")}, false},
		"no KeyUsage":             {put{"server-sign.crt": read(t, "no-keyusage/server-sign.crt"), "server-enc.crt": read(t, "no-keyusage/server-enc.crt")}, false},
		"clientAuth alone":        {put{"server-sign.crt": read(t, "pairs/client-auth-only/server-sign.crt"), "server-enc.crt": read(t, "pairs/client-auth-only/server-enc.crt")}, false},
		"two subjects":            {put{"server-sign.crt": read(t, "pairs/differing-subject/server-sign.crt"), "server-enc.crt": read(t, "pairs/differing-subject/server-enc.crt")}, false},
		"halves exchanged":        {put{"server-sign.crt": enc, "server-sign.key": encKey, "server-enc.crt": sign, "server-enc.key": signKey}, false},
		"key of the other half":   {put{"server-sign.key": encKey}, false},
		"no encryption half":      {put{"server-enc.crt": nil, "server-enc.key": nil}, false},
		"envelope":                {put{"server-enc.key": read(t, "enveloped-keys/enveloped.der")}, false},
		"keys exchanged":          {put{"server-sign.key": encKey, "server-enc.key": signKey}, false},
		"two keys":                {put{"server-sign.key": append(bytes.Clone(signKey), encKey...)}, false},
		"key among the roots":     {put{"gm-ca.crt": append(at("gm-ca.crt"), signKey...)}, false},
		"list behind certificate": {put{"server-sign.crt": append(bytes.Clone(sign), read(t, "revocation/rev.crl")...)}, false},
		"leaf among the roots":    {put{"gm-ca.crt": append(at("gm-ca.crt"), sign...)}, true},
		"both in both files":      {put{"server-sign.crt": append(bytes.Clone(sign), enc...), "server-enc.crt": append(bytes.Clone(sign), enc...)}, true},
		"root is another":         {put{"gm-ca.crt": read(t, "root-bundle/other-ca.crt")}, false},
		"roots joined":            {put{"gm-ca.crt": read(t, "root-bundle/joined.pem")}, true},
		"encrypted keys of GmSSL": {put{"server-sign.crt": read(t, "gmssl3-keys/sign.crt"), "server-sign.key": read(t, "gmssl3-keys/sign.key"), "server-enc.crt": read(t, "gmssl3-keys/enc.crt"), "server-enc.key": read(t, "gmssl3-keys/enc.key"), "gm-ca.crt": read(t, "gmssl3-keys/gm-ca.crt")}, true},
		"trusted label":           {put{"server-sign.crt": relabel(sign, "CERTIFICATE", "TRUSTED CERTIFICATE")}, false},
		"certificate is cut":      {put{"server-enc.crt": enc[:len(enc)/2]}, false},
		"root first":              {put{"server-sign.crt": read(t, "chain-order/root-first.pem"), "server-enc.crt": read(t, "chain-order/enc.crt"), "gm-ca.crt": read(t, "chain-order/root.crt")}, true},
		"one file":                {put{"server-sign.crt": read(t, "one-file/both.pem"), "server-sign.key": read(t, "one-file/both.pem")}, true},
		"negative serial":         {put{"server-enc.crt": read(t, "tlcp-files/negative-serial.crt")}, false},
		"root, negative serial":   {put{"gm-ca.crt": append(at("gm-ca.crt"), read(t, "negative-serial/ecdsa-ca.crt")...)}, true},
	}
}

func TestTLSFolders(t *testing.T) {
	tool, password := buildTool(t), passwordFile(t)
	for name, c := range tlsRows(t) {
		t.Run(name, func(t *testing.T) {
			dir := c.files.into(t, "base/peer/tls")
			args := []string{"--msp", dir}
			if name == "encrypted keys of GmSSL" {
				args = append(args, "--passphrase-file", password)
			}
			same(t, c.good, startTLS(dir, password), inspect(t, tool, args...))
		})
	}
}
