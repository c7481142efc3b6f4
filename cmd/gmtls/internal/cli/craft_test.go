// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto"
	"crypto/rand"
	stdx509 "crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
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
	case "block":
		c.block()
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
	template.IsCA, template.MaxPathLenZero, template.ExtKeyUsage = true, true, nil
	key, err := pki.NewKey(true)
	check(c.ts, err)
	template.SerialNumber = big.NewInt(1 << 40)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(c.ts, err)
	short, err := x509.ParseCertificate(der)
	check(c.ts, err)
	ca := &pki.CA{Cert: short, Key: key}
	middle, middleKey := c.issue(ca, func(t *x509.Certificate) {
		t.Subject.CommonName, t.IsCA, t.KeyUsage, t.ExtKeyUsage = "middle", true, root.KeyUsage, nil
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
	c.put(dir+"/msp/config.yaml", []byte("NodeOUs:\n  Enable: true\n  PeerOUIdentifier:\n"+
		"    Certificate: cacerts/ca.pem\n    OrganizationalUnitIdentifier: peer\n"))
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
	object := map[string]any{
		"address": "cc:9999", "tls_required": true, "client_auth_required": true,
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
	pack := func(m proto.Message) []byte {
		data, err := proto.Marshal(m)
		check(c.ts, err)
		return data
	}
	value := func(m proto.Message) *common.ConfigValue { return &common.ConfigValue{Value: pack(m)} }
	member := func(port uint32, cert *x509.Certificate) *etcdraft.Consenter {
		return &etcdraft.Consenter{Host: "orderer", Port: port, ClientTlsCert: pki.CertPEM(cert), ServerTlsCert: pki.CertPEM(cert)}
	}
	group := &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Orderer": {
		Groups: map[string]*common.ConfigGroup{"OrdererOrg": {Values: map[string]*common.ConfigValue{
			"MSP": value(&msp.MSPConfig{Config: pack(&msp.FabricMSPConfig{TlsRootCerts: [][]byte{pki.CertPEM(c.gm.Cert)}})}),
		}}},
		Values: map[string]*common.ConfigValue{"ConsensusType": value(&orderer.ConsensusType{
			Type: "etcdraft", Metadata: pack(&etcdraft.ConfigMetadata{
				Consenters: []*etcdraft.Consenter{member(7050, good), member(8050, bad)}}),
		})},
	}}}
	header := pack(&common.ChannelHeader{Type: int32(common.HeaderType_CONFIG), ChannelId: "trade"})
	payload := pack(&common.Payload{Header: &common.Header{ChannelHeader: header},
		Data: pack(&common.ConfigEnvelope{Config: &common.Config{ChannelGroup: group}})})
	c.put("trade.block", pack(&common.Block{Header: &common.BlockHeader{Number: 3},
		Data: &common.BlockData{Data: [][]byte{pack(&common.Envelope{Payload: payload})}}}))
}
