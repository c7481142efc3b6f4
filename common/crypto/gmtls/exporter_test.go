// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"fmt"
	"testing"
)

// RFC 5705, section 4. The answers come from OpenSSL 3.0, from its TLS1-PRF with SM3 over the same seed: openssl kdf
// -kdfopt digest:SM3 -kdfopt hexseed:... TLS1-PRF. The label is longer than those of the handshake.
func TestExporterKnownAnswers(t *testing.T) {
	var s exportSecrets
	copy(s.master[:], bytes.Repeat([]byte{0x5c}, masterLen))
	copy(s.client[:], bytes.Repeat([]byte{0xa0}, randomLen))
	copy(s.server[:], bytes.Repeat([]byte{0xb1}, randomLen))
	for _, test := range []struct {
		context []byte
		want    string
	}{
		{nil, "e450332aa3b9d710170657f6f621bf74e7fa13f53d6eb78068f819b3ba93709c42b89330954275053e0d0ab83396306d"},
		{[]byte{}, "c39f742395ecb7045d8256d23aae039a558ceed22df09edb081ba5a17bbb77ab92912a147dafe6fa269776dd2ed3b899"},
		{[]byte("abc"), "181a7e3cb641786b0ff41cfb4dbb8358284b0a7d5f814fe9f38df6b672615c28dbba703d99103d9b43fcbfb6a049ebea"},
	} {
		want := unhex(t, test.want)
		got, err := s.export("orderer v3 authentication label", test.context, len(want))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("context %q: %x, %v, want %x", test.context, got, err, want)
		}
	}
}

// Both ends compute the same in all suites, resumed sessions too; connections, labels and contexts give different values.
func TestExportKeyingMaterial(t *testing.T) {
	for _, suite := range CipherSuites() {
		t.Run(suite.Name, func(t *testing.T) {
			clientConfig, serverConfig := testConfigs(t)
			clientConfig.CipherSuites = []uint16{suite.ID}
			clientConfig.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(4)}
			serverConfig.ServerSessionCache = NewLRUServerSessionCache(4)
			seen := map[string]string{}
			for i := range 3 {
				client, server := mustShake(t, clientConfig, serverConfig)
				if client.ConnectionState().DidResume != (i > 0) {
					t.Fatalf("connection %d: resumed %v", i, i == 0)
				}
				for _, label := range []string{"EXPORTER-a", "EXPORTER-b"} {
					for _, context := range [][]byte{nil, {}, {1}} {
						what := fmt.Sprintf("connection %d, label %s, context %#v", i, label, context)
						ours, err := client.ExportKeyingMaterial(label, context, 32)
						theirs, err2 := server.ExportKeyingMaterial(label, context, 32)
						if err != nil || err2 != nil || len(ours) != 32 || !bytes.Equal(ours, theirs) {
							t.Errorf("%s: %x, %x; %v, %v", what, ours, theirs, err, err2)
						}
						if before, ok := seen[string(ours)]; ok {
							t.Errorf("%s and %s give the same", before, what)
						}
						seen[string(ours)] = what
					}
				}
			}
		})
	}
}

func TestExportKeyingMaterialIsRefused(t *testing.T) {
	clientConfig, serverConfig := testConfigs(t)
	client, _ := mustShake(t, clientConfig, serverConfig)
	raw, _ := tcpPair(t)
	for name, test := range map[string]struct {
		conn    *Conn
		label   string
		context []byte
		length  int
	}{
		"no handshake":     {Client(raw, &Config{}), "x", nil, 32},
		"client finished":  {client, labelClient, nil, 32},
		"server finished":  {client, labelServer, nil, 32},
		"master secret":    {client, labelMaster, nil, 32},
		"key expansion":    {client, labelKeys, nil, 32},
		"long context":     {client, "x", make([]byte, 1<<16), 32},
		"nothing":          {client, "x", nil, 0},
		"negative":         {client, "x", nil, -1},
		"more than is due": {client, "x", nil, maxExport + 1},
	} {
		if out, err := test.conn.ExportKeyingMaterial(test.label, test.context, test.length); err == nil || out != nil {
			t.Errorf("%s: %x, %v", name, out, err)
		}
	}
}

// A connection by TLS 1.3 exports by that protocol's rule.
func TestExportKeyingMaterialTLS13(t *testing.T) {
	client, server := mustShake(testPair13(t))
	want, err := server.exportKeyingMaterial13("label", []byte{1}, 32)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := client.ExportKeyingMaterial("label", []byte{1}, 32); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
}
