// SPDX-License-Identifier: Apache-2.0

// Package verdict holds one test: node and tool say the same of every file.
package verdict

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/cmd/ccaas"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/core/container/externalbuilder"
	"github.com/hyperledger/fabric/msp"
)

const cases = "../../../common/crypto/material/testdata/cases"

// buildTool builds gmtls, which is another program: its protocol buffers do not link with the node's.
func buildTool(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "gmtls")
	out, err := exec.Command("go", "build", "-o", name, "github.com/hyperledger/fabric/cmd/gmtls").CombinedOutput()
	require.NoError(t, err, string(out))
	return name
}

// inspect returns nil if gmtls inspect finds nothing wrong, else what it prints.
func inspect(t *testing.T, tool string, args ...string) error {
	t.Helper()
	out, err := exec.Command(tool, append([]string{"inspect"}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == 5:
		require.NotContains(t, string(out), "panic")
		return errors.New(string(out))
	}
	t.Fatalf("%v: %s", err, out)
	return nil
}

// startMSP does what a node does with its MSP folder when it starts, and what others do with its identity.
func startMSP(dir, password string) error {
	options := &factory.FactoryOpts{Default: "SW", SW: &factory.SwOpts{Security: 256, Hash: "SHA2"}}
	config, err := msp.GetLocalMspConfig(dir, options, "SampleOrg")
	if err != nil {
		return err
	}
	keys, err := sw.NewFileBasedKeyStore([]byte(password), filepath.Join(dir, "keystore"), true)
	if err != nil {
		return err
	}
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(keys)
	if err != nil {
		return err
	}
	m, err := msp.New(&msp.BCCSPNewOpts{NewBaseOpts: msp.NewBaseOpts{Version: msp.MSPv1_4_3}}, provider)
	if err != nil {
		return err
	}
	if err := m.Setup(config); err != nil {
		return err
	}
	id, err := m.GetDefaultSigningIdentity()
	if err != nil {
		return err
	}
	return id.Validate()
}

type put map[string][]byte

func (p put) into(t *testing.T, base string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(cases, base))))
	for name, content := range p {
		path := filepath.Join(dir, name)
		require.NoError(t, os.RemoveAll(path))
		if content == nil {
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	return dir
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(cases, name))
	require.NoError(t, err)
	return data
}

func der(t *testing.T, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	return block.Bytes
}

func mark(text []byte) []byte { return append([]byte("\xef\xbb\xbf"), text...) }
func crlf(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) }
func relabel(text []byte, from, to string) []byte {
	return bytes.ReplaceAll(text, []byte(from+"-----"), []byte(to+"-----"))
}

// same demands that node and tool agree, and that they say what is right.
func same(t *testing.T, good bool, node, tool error) {
	t.Helper()
	if (node == nil) != good {
		t.Errorf("the node: %v, right is %v", node, good)
	}
	if (tool == nil) != good {
		t.Errorf("the tool: %v, right is %v (the node: %v)", tool, good, node)
	}
}

func TestMSPFolders(t *testing.T) {
	tool := buildTool(t)
	cert, ca, key := read(t, "base/peer/msp/signcerts/peer.crt"), read(t, "base/ca.crt"), read(t, "base/peer/msp/keystore/peer.key")
	list := read(t, "revocation/rev.crl")
	locked, err := gmx509.ParsePrivateKeyPEM(key, nil)
	require.NoError(t, err)
	encrypted, err := gmx509.MarshalPrivateKeyPEM(locked, []byte("secret"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		files put
		good  bool
	}{
		"as it is":                    {nil, true},
		"identity in DER":             {put{"signcerts/peer.crt": der(t, cert)}, true},
		"identity, byte order mark":   {put{"signcerts/peer.crt": mark(cert)}, true},
		"identity, CR LF":             {put{"signcerts/peer.crt": crlf(cert)}, true},
		"identity behind its CA":      {put{"signcerts/peer.crt": append(bytes.Clone(ca), cert...)}, true},
		"identity, trusted label":     {put{"signcerts/peer.crt": relabel(cert, "CERTIFICATE", "TRUSTED CERTIFICATE")}, false},
		"identity, X509 label":        {put{"signcerts/peer.crt": relabel(cert, "CERTIFICATE", "X509 CERTIFICATE")}, false},
		"identity is an encryption":   {put{"signcerts/peer.crt": read(t, "base/peer/tls/server-enc.crt")}, false},
		"no identity":                 {put{"signcerts/peer.crt": nil}, false},
		"CA in DER":                   {put{"cacerts/ca.crt": read(t, "identity-ca/der.crt")}, true},
		"CA, byte order mark":         {put{"cacerts/ca.crt": mark(ca)}, true},
		"CA, trusted label":           {put{"cacerts/ca.crt": read(t, "identity-ca/trusted-label.crt")}, false},
		"CA, serial not shortest":     {put{"cacerts/ca.crt": read(t, "identity-ca/nonminimal-serial.crt")}, false},
		"CA is cut":                   {put{"cacerts/ca.crt": ca[:len(ca)/2]}, false},
		"CA beside a readme":          {put{"cacerts/README": []byte("the CAs")}, false},
		"renewed CA":                  {put{"cacerts/ca.crt": read(t, "renewed-ca/renewed-ca.crt")}, false},
		"two TLS roots, joined":       {put{"tlscacerts/gm-ca.crt": read(t, "root-bundle/joined.pem")}, true},
		"TLS root is a leaf":          {put{"tlscacerts/leaf.crt": read(t, "base/peer/tls/server-sign.crt")}, false},
		"TLS root is a key":           {put{"tlscacerts/key.pem": key}, false},
		"another SM2 id":              {put{"cacerts/ca.crt": read(t, "signer-id/ca.crt"), "signcerts/peer.crt": read(t, "signer-id/peer.crt"), "keystore/peer.key": read(t, "signer-id/peer.key")}, false},
		"name constraints":            {put{"cacerts/ca.crt": read(t, "name-constraints/ca.crt"), "signcerts/peer.crt": read(t, "name-constraints/peer.crt"), "keystore/peer.key": read(t, "name-constraints/peer.key")}, false},
		"certificate in crls":         {put{"crls/cert.pem": read(t, "crls-folder/cert.pem")}, false},
		"key in crls":                 {put{"crls/key.pem": read(t, "crls-folder/key.pem")}, false},
		"list that revokes":           {put{"crls/rev.crl": list}, false},
		"list that revokes, DER":      {put{"crls/rev.crl": read(t, "revocation/rev.der")}, false},
		"list that revokes, second":   {put{"crls/rev.crl": read(t, "revocation/rev-second.crl")}, false},
		"list that revokes, mark":     {put{"crls/rev.crl": mark(list)}, false},
		"list without key id":         {put{"crls/no-aki.crl": read(t, "crl-forms/no-aki.crl")}, false},
		"list, CRL label":             {put{"crls/rev.crl": relabel(list, "X509 CRL", "CRL")}, false},
		"list is cut":                 {put{"crls/rev.crl": list[:len(list)-40]}, false},
		"readme in crls":              {put{"crls/README": []byte("none yet")}, false},
		"key in DER":                  {put{"keystore/peer.key": der(t, key)}, true},
		"key, byte order mark":        {put{"keystore/peer.key": mark(key)}, true},
		"key of another":              {put{"keystore/peer.key": read(t, "base/peer/tls/server-sign.key")}, false},
		"encrypted key":               {put{"keystore/peer.key": encrypted}, true},
		"config.yaml is no YAML":      {put{"config.yaml": []byte("NodeOUs: [")}, false},
		"config.yaml names no CA":     {put{"config.yaml": bytes.ReplaceAll(read(t, "base/peer/msp/config.yaml"), []byte("cacerts/ca.crt"), []byte("cacerts/gone.crt"))}, false},
		"config.yaml of other roles":  {put{"config.yaml": bytes.ReplaceAll(read(t, "base/peer/msp/config.yaml"), []byte("Identifier: peer"), []byte("Identifier: node"))}, false},
		"admin is an encryption cert": {put{"admincerts/a.pem": read(t, "base/peer/tls/server-enc.crt")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.files.into(t, "base/peer/msp")
			same(t, c.good, startMSP(dir, "secret"), inspect(t, tool, "--msp", dir))
		})
	}
}

func TestConnectionsAndConsenters(t *testing.T) {
	tool := buildTool(t)
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "localhost")
	good := map[string]any{
		"address": "cc.example.com:9999", "dial_timeout": "10s", "tls_required": true, "tls_mode": "gm", "client_auth_required": true,
		"root_cert": string(ca.CertPEM), "client_cert": string(pair.SignCert), "client_key": string(pair.SignKey),
		"client_enc_cert": string(pair.EncCert), "client_enc_key": string(pair.EncKey),
	}
	text, err := json.Marshal(good)
	require.NoError(t, err)
	connections := map[string][]byte{"good": text}
	for _, name := range []string{"mode-GM", "timeout-number", "no-enc", "root-path"} {
		connections[name] = read(t, "connection-json/"+name+".json")
	}
	for name, content := range connections {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := gmtlstest.WriteFile(t, dir, "connection.json", content)
			same(t, name == "good", ccaas.Build(dir, t.TempDir(), ""), inspect(t, tool, file))
			// The peer, which connects with it.
			var data externalbuilder.ChaincodeServerUserData
			require.NoError(t, json.Unmarshal(content, &data))
			info, err := data.ChaincodeServerInfo("")
			if err == nil {
				_, err = info.ClientConfig.DialOptions()
			}
			same(t, name == "good", err, err)
		})
	}

	metadata := func(file string) error {
		md := &etcdraft.ConfigMetadata{Consenters: []*etcdraft.Consenter{{Host: "o", Port: 1, ClientTlsCert: []byte(file), ServerTlsCert: []byte(file)}}}
		packed, err := channelconfig.MarshalEtcdRaftMetadata(md)
		if err != nil {
			return err
		}
		return proto.Unmarshal(packed, md)
	}
	dir := t.TempDir()
	require.NoError(t, metadata(gmtlstest.WriteFile(t, dir, "sign.pem", pair.SignCert)))
	require.Error(t, metadata(gmtlstest.WriteFile(t, dir, "enc.pem", pair.EncCert)))
	require.Error(t, metadata(filepath.Join(cases, "consenter/enc.pem")))
}
