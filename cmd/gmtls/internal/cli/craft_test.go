// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	stdx509 "crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// crafter writes files for the scripts of inspect.
type crafter struct {
	ts *testscript.TestScript
	*world
}

func (c *crafter) put(name string, data []byte) {
	name = c.ts.MkAbs(name)
	check(c.ts, os.MkdirAll(filepath.Dir(name), 0o755))
	check(c.ts, os.WriteFile(name, data, 0o600))
}

func (c *crafter) cert(name string, cert *x509.Certificate) { c.put(name, pki.CertPEM(cert)) }

func (c *crafter) key(name string, key crypto.Signer, password string) {
	text, err := x509.MarshalPrivateKeyPEM(key, []byte(password))
	check(c.ts, err)
	c.put(name, text)
}

func (c *crafter) issue(ca *pki.CA, change func(*x509.Certificate)) (*x509.Certificate, crypto.Signer) {
	template := pki.Leaf("node", c.names, pki.SignUsage, c.from, c.to)
	if change != nil {
		change(template)
	}
	cert, key, err := ca.Issue(template)
	check(c.ts, err)
	return cert, key
}

// craft makes what a script names: "craft KIND [DIR]".
func craft(ts *testscript.TestScript, neg bool, args []string) {
	c := &crafter{ts, ts.Value("world").(*world)}
	switch args[0] {
	case "encrypted-key":
		_, key := c.issue(c.gm, nil)
		c.key("encrypted.key", key, "secret")
	case "crl":
		c.crl()
	case "rsa-like-root": // of another family, under the name of the SM2 root
		other, err := pki.NewCA("gm root", false, c.from, c.to)
		check(ts, err)
		c.cert("other-family.crt", other.Cert)
	case "short-path":
		c.shortPath()
	case "msp":
		c.msp(args[1], nil)
	case "msp-no-ou":
		c.msp(args[1], func(t *x509.Certificate) { t.Subject.OrganizationalUnit = nil })
	case "two-chains":
		middle, key := c.issue(c.gm, func(t *x509.Certificate) {
			t.BasicConstraintsValid, t.Subject.CommonName, t.IsCA, t.KeyUsage, t.ExtKeyUsage = true, "middle", true, c.gm.Cert.KeyUsage, nil
		})
		root := c.gm
		c.gm = &pki.CA{Cert: middle, Key: key}
		c.msp(args[1], nil)
		c.cert(args[1]+"/msp/cacerts/root.pem", root.Cert)
		c.cert(args[1]+"/msp/intermediatecerts/middle.pem", middle)
	case "block":
		c.block()
	case "bft-block":
		c.bftBlock()
	case "update":
		update := &common.ConfigUpdate{ChannelId: "trade", WriteSet: &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"OrdererOrg": c.organisation("OrdererMSP")}}}
		payload := c.pack(&common.Payload{Data: c.pack(&common.ConfigUpdateEnvelope{ConfigUpdate: c.pack(update)}),
			Header: &common.Header{ChannelHeader: c.pack(&common.ChannelHeader{Type: int32(common.HeaderType_CONFIG_UPDATE), ChannelId: "trade"})}})
		c.put("update.pb", c.pack(&common.Envelope{Payload: payload}))
	case "profile":
		c.profile()
	case "conversation":
		c.conversation()
	case "listed-block":
		c.listedBlock(args[1])
	case "connection":
		c.connection()
	default:
		ts.Fatalf("craft: unknown %q", args[0])
	}
}

// crl writes node.crt, the list node.crl that revokes it, and stale.crl.
func (c *crafter) crl() {
	cert, _ := c.issue(c.gm, nil)
	c.cert("node.crt", cert)
	c.cert("root.crt", c.gm.Cert)
	for name, next := range map[string]time.Time{"node.crl": c.to, "stale.crl": c.from.Add(time.Minute)} {
		template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: c.from, NextUpdate: next}
		if name == "node.crl" {
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
				stdx509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: c.from})
		}
		der, err := x509.CreateRevocationList(rand.Reader, template, c.gm.Cert, c.gm.Key)
		check(c.ts, err)
		c.put(name, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	}
}

// shortPath writes a chain with more authorities than its root allows.
func (c *crafter) shortPath() {
	root := *c.gm.Cert
	template := pki.Leaf("short root", nil, root.KeyUsage, c.from, c.to)
	template.BasicConstraintsValid, template.IsCA, template.MaxPathLenZero, template.ExtKeyUsage = true, true, true, nil
	key, err := pki.NewKey(true)
	check(c.ts, err)
	template.SerialNumber = big.NewInt(1 << 40)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(c.ts, err)
	short, err := x509.ParseCertificate(der)
	check(c.ts, err)
	ca := &pki.CA{Cert: short, Key: key}
	middle, middleKey := c.issue(ca, func(t *x509.Certificate) {
		t.BasicConstraintsValid, t.Subject.CommonName, t.IsCA, t.KeyUsage, t.ExtKeyUsage = true, "middle", true, root.KeyUsage, nil
	})
	leaf, _ := c.issue(&pki.CA{Cert: middle, Key: middleKey}, nil)
	c.put("short.pem", pki.CertPEM(leaf, middle, short))
}

// msp writes the folder of a node with msp and tls.
func (c *crafter) msp(dir string, change func(*x509.Certificate)) {
	cert, key := c.issue(c.gm, func(t *x509.Certificate) {
		t.Subject.OrganizationalUnit = []string{"peer"}
		if change != nil {
			change(t)
		}
	})
	c.cert(dir+"/msp/cacerts/ca.pem", c.gm.Cert)
	c.cert(dir+"/msp/signcerts/node.pem", cert)
	c.key(dir+"/msp/keystore/priv_sk", key, "")
	config := "NodeOUs:\n  Enable: true\n"
	for _, role := range []string{"Client", "Peer", "Admin", "Orderer"} {
		config += fmt.Sprintf("  %sOUIdentifier:\n    Certificate: cacerts/ca.pem\n    OrganizationalUnitIdentifier: %s\n", role, strings.ToLower(role))
	}
	c.put(dir+"/msp/config.yaml", []byte(config))
	c.cert(dir+"/msp/tlscacerts/gm.pem", c.gm.Cert)
	c.cert(dir+"/tls/gm-ca.crt", c.gm.Cert)
	sign, signKey := c.issue(c.gm, nil)
	enc, encKey := c.issue(c.gm, func(t *x509.Certificate) { t.KeyUsage = pki.EncUsage })
	c.cert(dir+"/tls/server-sign.crt", sign)
	c.key(dir+"/tls/server-sign.key", signKey, "")
	c.cert(dir+"/tls/server-enc.crt", enc)
	c.key(dir+"/tls/server-enc.key", encKey, "")
}

// connection writes connection.json of an external chaincode, whole and not.
func (c *crafter) connection() {
	cert, key := c.issue(c.gm, nil)
	text, err := x509.MarshalPrivateKeyPEM(key, nil)
	check(c.ts, err)
	enc, encKey := c.issue(c.gm, func(t *x509.Certificate) { t.KeyUsage = pki.EncUsage })
	encText, err := x509.MarshalPrivateKeyPEM(encKey, nil)
	check(c.ts, err)
	object := map[string]any{
		"address": "cc:9999", "tls_required": true, "client_auth_required": true, "tls_mode": "gm",
		"client_enc_cert": string(pki.CertPEM(enc)), "client_enc_key": string(encText),
		"root_cert": string(pki.CertPEM(c.gm.Cert)), "client_cert": string(pki.CertPEM(cert)), "client_key": string(text),
	}
	data, err := json.Marshal(object)
	check(c.ts, err)
	c.put("connection.json", data)
	delete(object, "client_key")
	data, err = json.Marshal(object)
	check(c.ts, err)
	c.put("incomplete.json", data)
}

// block writes a config block of a Raft channel: one consenter has the root of
// its organisation, the other one is of another CA.
func (c *crafter) block() {
	good, _ := c.issue(c.gm, nil)
	other, err := pki.NewCA("stranger", true, c.from, c.to)
	check(c.ts, err)
	bad, _ := c.issue(other, nil)
	member := func(port uint32, cert *x509.Certificate) *etcdraft.Consenter {
		return &etcdraft.Consenter{Host: "orderer", Port: port, ClientTlsCert: pki.CertPEM(cert), ServerTlsCert: pki.CertPEM(cert)}
	}
	c.configBlock("trade.block", map[string]*common.ConfigGroup{"OrdererOrg": c.organisation("")}, map[string]*common.ConfigValue{
		"ConsensusType": c.value(&orderer.ConsensusType{
			Type: "etcdraft", Metadata: c.pack(&etcdraft.ConfigMetadata{
				Consenters: []*etcdraft.Consenter{member(7050, good), member(8050, bad)}}),
		}),
	})
}

// listedBlock writes a config block of a channel whose ordering organisation has the revocation list of the file.
func (c *crafter) listedBlock(list string) {
	text, err := os.ReadFile(list)
	check(c.ts, err)
	root := [][]byte{pki.CertPEM(c.gm.Cert)}
	org := &common.ConfigGroup{Values: map[string]*common.ConfigValue{"MSP": c.value(&msp.MSPConfig{Config: c.pack(&msp.FabricMSPConfig{
		Name: "OrdererMSP", RootCerts: root, TlsRootCerts: root, RevocationList: [][]byte{text}})})}}
	c.configBlock("listed.block", map[string]*common.ConfigGroup{"OrdererOrg": org}, map[string]*common.ConfigValue{
		"ConsensusType": c.value(&orderer.ConsensusType{Type: "etcdraft", Metadata: c.pack(&etcdraft.ConfigMetadata{})}),
	})
}

func (c *crafter) pack(m proto.Message) []byte {
	data, err := proto.Marshal(m)
	check(c.ts, err)
	return data
}

func (c *crafter) value(m proto.Message) *common.ConfigValue {
	return &common.ConfigValue{Value: c.pack(m)}
}

// organisation is an ordering organisation whose CA is the SM2 root.
func (c *crafter) organisation(id string) *common.ConfigGroup {
	root := [][]byte{pki.CertPEM(c.gm.Cert)}
	return &common.ConfigGroup{Values: map[string]*common.ConfigValue{
		"MSP": c.value(&msp.MSPConfig{Config: c.pack(&msp.FabricMSPConfig{Name: id, RootCerts: root, TlsRootCerts: root})}),
	}}
}

func (c *crafter) configBlock(name string, orgs map[string]*common.ConfigGroup, values map[string]*common.ConfigValue) {
	group := &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Orderer": {Groups: orgs, Values: values}}}
	header := c.pack(&common.ChannelHeader{Type: int32(common.HeaderType_CONFIG), ChannelId: "trade"})
	payload := c.pack(&common.Payload{Header: &common.Header{ChannelHeader: header},
		Data: c.pack(&common.ConfigEnvelope{Config: &common.Config{ChannelGroup: group}})})
	data := c.pack(&common.Envelope{Payload: payload})
	sum := sha256.Sum256(data)
	block := &common.Block{Header: &common.BlockHeader{Number: 3, DataHash: sum[:]}, Data: &common.BlockData{Data: [][]byte{data}}}
	c.put(name, c.pack(block))
	block.Header.DataHash[0] ^= 1
	c.put("damaged-"+name, c.pack(block))
}

// bftBlock writes a config block of a BFT channel. Consenter 2 signs by a
// certificate of another CA, consenter 3 is of an organisation that is not there, and its identity has text in front.
func (c *crafter) bftBlock() {
	other, err := pki.NewCA("stranger", true, c.from, c.to)
	check(c.ts, err)
	stranger, _ := c.issue(other, nil)
	var mapping []*common.Consenter
	for i, org := range []string{"OrdererMSP", "OrdererMSP", "GoneMSP"} {
		cert, _ := c.issue(c.gm, nil)
		m := &common.Consenter{Id: uint32(i + 1), Host: "orderer", Port: uint32(7050 + i), MspId: org,
			Identity: pki.CertPEM(cert), ClientTlsCert: pki.CertPEM(cert), ServerTlsCert: pki.CertPEM(cert)}
		if i == 1 {
			m.Identity = pki.CertPEM(stranger)
		}
		if i == 2 {
			m.Identity = append([]byte("orderer\n"), m.Identity...)
		}
		mapping = append(mapping, m)
	}
	c.configBlock("bft.block", map[string]*common.ConfigGroup{"OrdererOrg": c.organisation("OrdererMSP")}, map[string]*common.ConfigValue{
		"ConsensusType": c.value(&orderer.ConsensusType{Type: "BFT"}),
		"Orderers":      c.value(&common.Orderers{ConsenterMapping: mapping}),
	})
}

// profile writes a connection profile with a leaf that its root did not issue.
func (c *crafter) profile() {
	other, err := pki.NewCA("stranger", true, c.from, c.to)
	check(c.ts, err)
	stranger, _ := c.issue(other, nil)
	text := func(cert *x509.Certificate) string {
		return strings.ReplaceAll(strings.TrimSpace(string(pki.CertPEM(cert))), "\n", "\n        ")
	}
	c.put("profile.yaml", []byte("name: test\norganizations:\n  Org1:\n    mspid: Org1MSP\npeers:\n  peer0:\n    url: grpcs://peer0:7051\n"+
		"    tlsCACerts:\n      pem: |\n        "+text(c.gm.Cert)+"\n  peer1:\n    tlsCACerts:\n      pem: |\n        "+text(stranger)+"\n"))
}
