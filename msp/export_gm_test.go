// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/sw"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

// Organisation is material for the tests in package msp_test, which use packages that this one must not import.
type Organisation struct {
	family family
	root   credential
}

// EachOrganisation runs a test with an organisation of each family of algorithms.
func EachOrganisation(t *testing.T, test func(t *testing.T, org *Organisation)) {
	eachFamily(t, func(t *testing.T, f family) { test(t, &Organisation{f, newRoot(t, f, "root")}) })
}

// Member is an identity of an organisation with its key.
type Member struct {
	org        *Organisation
	credential credential
	serialized []byte
}

// Peer certifies a new peer whose certificate ends at the given time.
func (o *Organisation) Peer(t *testing.T, notAfter time.Time) *Member {
	t.Helper()
	cert := template(t, "peer", "peer")
	cert.NotAfter = notAfter
	c := o.root.issue(t, o.family, cert)
	serialized, err := NewSerializedIdentity("TestMSP", c.pem())
	require.NoError(t, err)
	return &Member{o, c, serialized}
}

// Config is the organisation's part of a channel configuration, with a revocation list if there is any to revoke.
func (o *Organisation) Config(t *testing.T, revoked ...*Member) *m.MSPConfig {
	t.Helper()
	conf := &m.FabricMSPConfig{Name: "TestMSP", RootCerts: [][]byte{o.root.pem()}, FabricNodeOus: nodeOUs(credential{})}
	if len(revoked) > 0 {
		var list []credential
		for _, member := range revoked {
			list = append(list, member.credential)
		}
		conf.RevocationList = [][]byte{o.root.crl(t, o.root.key, list...)}
	}
	raw, err := proto.Marshal(conf)
	require.NoError(t, err)
	return &m.MSPConfig{Config: raw, Type: int32(FABRIC)}
}

// Serialized is the identity as it is in messages.
func (p *Member) Serialized() []byte { return p.serialized }

// Sign signs as the member's software would, expired or not.
func (p *Member) Sign(t *testing.T, message []byte) []byte {
	t.Helper()
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(p.credential.key)
	require.NoError(t, err)
	var imports bccsp.KeyImportOpts = &bccsp.ECDSAPrivateKeyImportOpts{Temporary: true}
	var opts bccsp.SignerOpts
	if p.org.family.sm2 {
		imports, opts = &bccsp.SM2PrivateKeyImportOpts{Temporary: true}, &bccsp.SM2SignerOpts{}
	} else {
		message, err = csp.Hash(message, &bccsp.SHA256Opts{})
		require.NoError(t, err)
	}
	key, err := csp.KeyImport(der, imports)
	require.NoError(t, err)
	signature, err := csp.Sign(key, message, opts)
	require.NoError(t, err)
	return signature
}
