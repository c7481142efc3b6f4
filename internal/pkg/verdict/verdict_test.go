// SPDX-License-Identifier: Apache-2.0

// Package verdict holds one test: node and tool say the same of every file.
package verdict

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/cmd/ccaas"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/core/container/ccintf"
	"github.com/hyperledger/fabric/core/container/externalbuilder"
	"github.com/hyperledger/fabric/msp"
	raft "github.com/hyperledger/fabric/orderer/consensus/etcdraft"
	"github.com/hyperledger/fabric/protoutil"
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

// row is a folder of cases with some of its files replaced, and the right verdict.
type row struct {
	files put
	good  bool
}

// mspRows are folders of an MSP.
func mspRows(t *testing.T) map[string]row {
	t.Helper()
	cert, ca, key := read(t, "base/peer/msp/signcerts/peer.crt"), read(t, "base/ca.crt"), read(t, "base/peer/msp/keystore/peer.key")
	list := read(t, "revocation/rev.crl")
	locked, err := gmx509.ParsePrivateKeyPEM(key, nil)
	require.NoError(t, err)
	encrypted, err := gmx509.MarshalPrivateKeyPEM(locked, []byte("secret"))
	require.NoError(t, err)
	made := byCA(t)
	return map[string]row{
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
		"CA and a readme":             {put{"cacerts/README": []byte("the CAs")}, false},
		"renewed CA":                  {put{"cacerts/ca.crt": read(t, "renewed-ca/renewed-ca.crt")}, false},
		"two TLS roots, joined":       {put{"tlscacerts/gm-ca.crt": read(t, "root-bundle/joined.pem")}, true},
		"TLS root is a leaf":          {put{"tlscacerts/leaf.crt": read(t, "base/peer/tls/server-sign.crt")}, false},
		"TLS root is a key":           {put{"tlscacerts/key.pem": key}, false},
		"another SM2 id":              {put{"cacerts/ca.crt": read(t, "signer-id/ca.crt"), "signcerts/peer.crt": read(t, "signer-id/peer.crt"), "keystore/peer.key": read(t, "signer-id/peer.key")}, false},
		"name constraints":            {put{"cacerts/ca.crt": read(t, "name-constraints/ca.crt"), "signcerts/peer.crt": read(t, "name-constraints/peer.crt"), "keystore/peer.key": read(t, "name-constraints/peer.key")}, false},
		"certificate in crls":         {put{"crls/cert.pem": read(t, "crls-folder/cert.pem")}, false},
		"key in crls":                 {put{"crls/key.pem": read(t, "crls-folder/key.pem")}, false},
		"list that revokes":           {put{"crls/rev.crl": list}, false},
		"list that revokes DER":       {put{"crls/rev.crl": read(t, "revocation/rev.der")}, false},
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
		"config.yaml is not YAML":     {put{"config.yaml": []byte("NodeOUs: [")}, false},
		"config.yaml names no CA":     {put{"config.yaml": bytes.ReplaceAll(read(t, "base/peer/msp/config.yaml"), []byte("cacerts/ca.crt"), []byte("cacerts/gone.crt"))}, false},
		"config.yaml of other roles":  {put{"config.yaml": bytes.ReplaceAll(read(t, "base/peer/msp/config.yaml"), []byte("Identifier: peer"), []byte("Identifier: node"))}, false},
		"admin is an encryption cert": {put{"admincerts/a.pem": read(t, "base/peer/tls/server-enc.crt")}, false},
		"ECDSA, negative serial":      {put{"tlscacerts/negative.crt": read(t, "negative-serial/ecdsa-ca.crt")}, true},
		"SM2, negative serial":        {put{"tlscacerts/negative.crt": read(t, "tlcp-files/negative-serial.crt")}, false},
		"bytes behind the signature":  {put{"signcerts/peer.crt": behindSignature(der(t, cert))}, false},
		"CA has two certificates":     {put{"cacerts/again.crt": made.again}, false},
		"CA below the identity's":     {put{"intermediatecerts/next.crt": made.next}, false},
		"list with a number":          {put{"crls/l.crl": made.list(t)}, true},
		"list of CAs":                 {put{"crls/l.crl": made.list(t, critical([]byte{0x30, 3, 0x82, 1, 0xff}, 2, 5, 29, 28))}, true},
		"list of changes":             {put{"crls/l.crl": made.list(t, critical([]byte{2, 1, 1}, 2, 5, 29, 27))}, false},
		"list, indirect":              {put{"crls/l.crl": made.list(t, critical([]byte{0x30, 3, 0x84, 1, 0xff}, 2, 5, 29, 28))}, false},
		"list, critical extension":    {put{"crls/l.crl": made.list(t, critical([]byte{5, 0}, 1, 2, 3))}, false},
		"identity and key, one file":  {put{"signcerts/peer.crt": append(bytes.Clone(cert), key...)}, false},
	}
}

// ofCA is what the identity CA of the cases makes here.
type ofCA struct {
	cert *gmx509.Certificate
	key  crypto.Signer
	// again is another certificate of the CA, and next one of a CA of the same name with another key, which it has signed.
	again, next []byte
}

func byCA(t *testing.T) ofCA {
	t.Helper()
	cert, err := gmx509.ParseCertificatePEM(read(t, "base/ca.crt"))
	require.NoError(t, err)
	key, err := gmx509.ParsePrivateKeyPEM(read(t, "base/ca.key"), nil)
	require.NoError(t, err)
	made := ofCA{cert: cert, key: key.(crypto.Signer)}
	issue := func(public any, keyID []byte) []byte {
		template := *cert
		template.SerialNumber, template.SubjectKeyId = big.NewInt(99), keyID
		der, err := gmx509.CreateCertificate(rand.Reader, &template, cert, public, key)
		require.NoError(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	next, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	made.again, made.next = issue(cert.PublicKey, cert.SubjectKeyId), issue(next.Public(), []byte{1, 2, 3})
	return made
}

// list is one that revokes nobody.
func (c ofCA) list(t *testing.T, extensions ...pkix.Extension) []byte {
	t.Helper()
	template := &gmx509.RevocationList{Number: big.NewInt(1), ThisUpdate: c.cert.NotBefore, NextUpdate: c.cert.NotAfter, ExtraExtensions: extensions}
	list, err := gmx509.CreateRevocationList(rand.Reader, template, c.cert, c.key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})
}

func critical(value []byte, id ...int) pkix.Extension {
	return pkix.Extension{Id: id, Critical: true, Value: value}
}

// behindSignature adds a NULL as the last member of a certificate whose length is in two bytes.
func behindSignature(der []byte) []byte {
	longer := append(bytes.Clone(der), 5, 0)
	binary.BigEndian.PutUint16(longer[2:], binary.BigEndian.Uint16(longer[2:])+2)
	return longer
}

func TestMSPFolders(t *testing.T) {
	tool := buildTool(t)
	for name, c := range mspRows(t) {
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
	connections := map[string][]byte{"good": text, "byte order mark": mark(text), "null": bytes.Replace(text, []byte(`"10s"`), []byte("null"), 1)}
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
			err := json.Unmarshal(content, &data)
			if err == nil {
				var info *ccintf.ChaincodeServerInfo
				if info, err = data.ChaincodeServerInfo(""); err == nil {
					_, err = info.ClientConfig.DialOptions()
				}
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
	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca")
	leaf := standard.Issue(t, pkix.Name{CommonName: "orderer"})
	roots := [][]byte{ca.CertPEM, standard.CertPEM}
	options := gmx509.VerifyOptions{
		Roots: gmx509.NewCertPool(), Intermediates: gmx509.NewCertPool(), KeyUsages: []gmx509.ExtKeyUsage{gmx509.ExtKeyUsageClientAuth, gmx509.ExtKeyUsageServerAuth},
	}
	options.Roots.AddCert(ca.Cert)
	options.Roots.AddCert(standard.Cert)
	for name, c := range map[string]struct {
		field []byte
		good  bool
	}{
		"SM2 signing":             {pair.SignCert, true},
		"standard":                {leaf.CertPEM, true},
		"standard, then SM2":      {append(bytes.Clone(leaf.CertPEM), pair.SignCert...), true},
		"SM2 encryption":          {pair.EncCert, false},
		"encryption, of cases":    {read(t, "consenter/enc.pem"), false},
		"a key":                   {pair.SignKey, false},
		"certificate is cut":      {pair.SignCert[:len(pair.SignCert)/2], false},
		"of another CA":           {gmtlstest.NewCA(t).NewPair(t, "o").SignCert, false},
		"standard, then stranger": {append(bytes.Clone(leaf.CertPEM), gmtlstest.NewCA(t).NewPair(t, "o").SignCert...), false},
	} {
		t.Run("consenter, "+name, func(t *testing.T) {
			dir := t.TempDir()
			if name != "of another CA" && name != "standard, then stranger" { // configtxgen knows no roots
				same(t, c.good, metadata(gmtlstest.WriteFile(t, dir, "field.pem", c.field)), nilIf(c.good))
			}
			md := &etcdraft.ConfigMetadata{
				Consenters: []*etcdraft.Consenter{{Host: "o", Port: 1, ClientTlsCert: c.field, ServerTlsCert: c.field}},
				Options:    &etcdraft.Options{TickInterval: "500ms", ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5},
			}
			same(t, c.good, raft.VerifyConfigMetadata(md, options), inspect(t, tool, gmtlstest.WriteFile(t, dir, "block", configBlock(t, md, roots))))
		})
	}
}

// nilIf is the verdict of a tool where only the node's is looked at.
func nilIf(good bool) error {
	if good {
		return nil
	}
	return errors.New("refused")
}

// configBlock is the block of a channel with these consenters, and one ordering organisation with these TLS roots.
func configBlock(t *testing.T, md *etcdraft.ConfigMetadata, roots [][]byte) []byte {
	t.Helper()
	pack := protoutil.MarshalOrPanic
	org := protoutil.NewConfigGroup()
	org.Values[channelconfig.MSPKey] = &cb.ConfigValue{Value: pack(&mspproto.MSPConfig{Config: pack(&mspproto.FabricMSPConfig{Name: "Org", TlsRootCerts: roots})})}
	orderer := protoutil.NewConfigGroup()
	orderer.Groups["Org"] = org
	orderer.Values[channelconfig.ConsensusTypeKey] = &cb.ConfigValue{Value: pack(&ab.ConsensusType{Type: "etcdraft", Metadata: pack(md)})}
	group := protoutil.NewConfigGroup()
	group.Groups[channelconfig.OrdererGroupKey] = orderer
	envelope := &cb.Envelope{Payload: pack(&cb.Payload{
		Header: &cb.Header{ChannelHeader: pack(&cb.ChannelHeader{ChannelId: "c", Type: int32(cb.HeaderType_CONFIG)})},
		Data:   pack(&cb.ConfigEnvelope{Config: &cb.Config{ChannelGroup: group}}),
	})}
	header, data := &cb.BlockHeader{Number: 1}, &cb.BlockData{Data: [][]byte{pack(envelope)}}
	header.DataHash = protoutil.ChannelDataHash(header, data)
	return pack(&cb.Block{Header: header, Data: data})
}
