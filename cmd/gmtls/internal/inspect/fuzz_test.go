// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto/rand"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

var fuzzNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// seeds are files of each kind.
func seeds(f *testing.F) [][]byte {
	ca, err := pki.NewCA("root", true, fuzzNow, fuzzNow.AddDate(1, 0, 0))
	require.NoError(f, err)
	cert, key, err := ca.Issue(pki.Leaf("node", []string{"localhost"}, pki.SignUsage, fuzzNow, fuzzNow.AddDate(1, 0, 0)))
	require.NoError(f, err)
	private, err := x509.MarshalPrivateKeyPEM(key, nil)
	require.NoError(f, err)
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: fuzzNow, NextUpdate: fuzzNow}, ca.Cert, ca.Key)
	require.NoError(f, err)
	text := string(pki.CertPEM(cert, ca.Cert))
	profile := "organizations: {}\npeers:\n  a:\n    tlsCACerts:\n      pem: |\n        " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n        ") + "\n"
	object, err := json.Marshal(map[string]any{"address": "a:1", "tls_required": true, "root_cert": text, "more": []any{text}})
	require.NoError(f, err)
	return [][]byte{
		[]byte(text), private, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}), list, cert.Raw,
		object, []byte("[" + string(object) + "]"), []byte(profile), configBlock(f, []byte(text)),
	}
}

// configBlock packs certificates as a consenter of both kinds.
func configBlock(f *testing.F, text []byte) []byte {
	pack := func(m proto.Message) []byte {
		data, err := proto.Marshal(m)
		require.NoError(f, err)
		return data
	}
	value := func(m proto.Message) *common.ConfigValue { return &common.ConfigValue{Value: pack(m)} }
	group := &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Orderer": {Values: map[string]*common.ConfigValue{
		"ConsensusType": value(&orderer.ConsensusType{Type: consensusBFT, Metadata: pack(&etcdraft.ConfigMetadata{
			Consenters: []*etcdraft.Consenter{{Host: "a", Port: 1, ServerTlsCert: text, ClientTlsCert: text}}})}),
		"Orderers": value(&common.Orderers{ConsenterMapping: []*common.Consenter{
			{Id: 1, Host: "a", Port: 1, MspId: "Org", Identity: text, ServerTlsCert: text, ClientTlsCert: text}}}),
	}}}}
	payload := pack(&common.Payload{Header: &common.Header{ChannelHeader: pack(&common.ChannelHeader{Type: int32(common.HeaderType_CONFIG)})},
		Data: pack(&common.ConfigEnvelope{Config: &common.Config{ChannelGroup: group}})})
	return pack(&common.Block{Header: &common.BlockHeader{Number: 1},
		Data: &common.BlockData{Data: [][]byte{pack(&common.Envelope{Payload: payload})}}})
}

// Whatever a file holds, the report can be printed and has nothing in it that a
// terminal obeys.
func FuzzFile(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &Report{now: fuzzNow}
		items := r.parse("file", data)
		r.add(items...)
		r.relate(items)
		var out bytes.Buffer
		r.finish().write(&out)
		require.NotContains(t, out.String(), "\x1b")
		_, err := json.Marshal(r)
		require.NoError(t, err)
	})
}

// config.yaml of an MSP names files and units.
func FuzzMSPConfig(f *testing.F) {
	f.Add([]byte("NodeOUs:\n  Enable: true\n  PeerOUIdentifier:\n    Certificate: cacerts/ca.pem\n    OrganizationalUnitIdentifier: peer\n"))
	f.Add([]byte("OrganizationalUnitIdentifiers:\n  - Certificate: cacerts/ca.pem\n    OrganizationalUnitIdentifier: \"C\\eOP\"\n"))
	ca, err := pki.NewCA("root", true, fuzzNow, fuzzNow.AddDate(1, 0, 0))
	require.NoError(f, err)
	dir := f.TempDir()
	require.NoError(f, os.Mkdir(filepath.Join(dir, "cacerts"), 0o755))
	require.NoError(f, os.WriteFile(filepath.Join(dir, "cacerts", "ca.pem"), pki.CertPEM(ca.Cert), 0o600))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &Report{now: fuzzNow}
		config, ok := r.parseConfig("config.yaml", data)
		if ok {
			m := &mspFolder{dir: dir, roots: []*Item{r.certificate("ca", ca.Cert)}}
			m.admins = m.roots
			r.checkConfig("config.yaml", config, m)
		}
		var out bytes.Buffer
		r.finish().write(&out)
		require.NotContains(t, out.String(), "\x1b")
	})
}
