// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp/sw"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

// family makes the keys of one algorithm. The behaviours of an MSP are tested
// over each, with material made by the test.
type family struct {
	name   string
	sm2    bool
	newKey func() (crypto.Signer, error)
}

var (
	familySM2   = family{"sm2", true, func() (crypto.Signer, error) { return sm2.GenerateKey(rand.Reader) }}
	familyECDSA = family{"ecdsa", false, func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }}
	families    = []family{familySM2, familyECDSA}
)

func (f family) key(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := f.newKey()
	require.NoError(t, err)
	return key
}

// credential is a certificate and its private key; as a CA it issues others.
type credential struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (c credential) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

func (c credential) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// template is a certificate valid since three hours, with a random serial number.
func template(t *testing.T, commonName string, units ...string) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	require.NoError(t, err)
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName, OrganizationalUnit: units},
		NotBefore:    time.Now().Add(-3 * time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func asCA(cert *x509.Certificate) *x509.Certificate {
	cert.IsCA, cert.BasicConstraintsValid = true, true
	cert.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	id := sha256.Sum256(cert.SerialNumber.Bytes())
	cert.SubjectKeyId = id[:]
	return cert
}

// certify signs template with parentKey. The engine is called beneath gmx509,
// which refuses to make a certificate that mixes families.
func certify(t *testing.T, template, parent *x509.Certificate, key, parentKey crypto.Signer) credential {
	t.Helper()
	der, err := smx509.CreateCertificate(rand.Reader, engineCertificate(template), engineCertificate(parent), key.Public(), parentKey)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return credential{cert, key}
}

// engineCertificate copies the fields that the templates of these tests set.
func engineCertificate(c *x509.Certificate) *smx509.Certificate {
	return &smx509.Certificate{
		SerialNumber: c.SerialNumber, Subject: c.Subject, RawSubject: c.RawSubject, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		KeyUsage: smx509.KeyUsage(c.KeyUsage), IsCA: c.IsCA, BasicConstraintsValid: c.BasicConstraintsValid, SubjectKeyId: c.SubjectKeyId,
	}
}

func newRoot(t *testing.T, f family, commonName string) credential {
	t.Helper()
	key, cert := f.key(t), asCA(template(t, commonName))
	return certify(t, cert, cert, key, key)
}

// issue certifies a new key of family f.
func (c credential) issue(t *testing.T, f family, template *x509.Certificate) credential {
	t.Helper()
	return certify(t, template, c.cert, f.key(t), c.key)
}

// crl is a revocation list, in PEM, that names c as its issuer and is signed by signer.
func (c credential) crl(t *testing.T, signer crypto.Signer, revoked ...credential) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, r := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: r.cert.SerialNumber, RevocationTime: time.Now()})
	}
	issuer := *c.cert
	issuer.PublicKey = signer.Public()
	der, err := x509.CreateRevocationList(rand.Reader, list, &issuer, signer)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// nodeOUs tells roles apart by the units client, peer, admin and orderer,
// certified by ca or, if it is zero, by any CA of the MSP.
func nodeOUs(ca credential) *m.FabricNodeOUs {
	unit := func(name string) *m.FabricOUIdentifier {
		id := &m.FabricOUIdentifier{OrganizationalUnitIdentifier: name}
		if ca.cert != nil {
			id.Certificate = ca.pem()
		}
		return id
	}
	return &m.FabricNodeOUs{
		Enable:             true,
		ClientOuIdentifier: unit("client"), PeerOuIdentifier: unit("peer"),
		AdminOuIdentifier: unit("admin"), OrdererOuIdentifier: unit("orderer"),
	}
}

// setup makes an MSP of the newest version, the way channels do, on a provider
// that holds no keys.
func setup(t *testing.T, conf *m.FabricMSPConfig) (*bccspmsp, error) {
	t.Helper()
	return setupVersion(t, MSPv1_4_3, conf)
}

func setupVersion(t *testing.T, version MSPVersion, conf *m.FabricMSPConfig) (*bccspmsp, error) {
	t.Helper()
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	made, err := newBccspMsp(version, provider)
	require.NoError(t, err)
	if conf.Name == "" {
		conf.Name = "TestMSP"
	}
	raw, err := proto.Marshal(conf)
	require.NoError(t, err)
	return made.(*bccspmsp), made.Setup(&m.MSPConfig{Config: raw, Type: int32(FABRIC)})
}

func mustSetup(t *testing.T, conf *m.FabricMSPConfig) *bccspmsp {
	t.Helper()
	made, err := setup(t, conf)
	require.NoError(t, err)
	return made
}

// received is c as an identity that arrives from the network.
func received(t *testing.T, target *bccspmsp, c credential) (Identity, error) {
	t.Helper()
	serialized, err := NewSerializedIdentity(target.name, c.pem())
	require.NoError(t, err)
	return target.DeserializeIdentity(serialized)
}

// validate returns the first error of taking c as an identity of the MSP.
func validate(t *testing.T, target *bccspmsp, c credential) error {
	t.Helper()
	id, err := received(t, target, c)
	if err != nil {
		return err
	}
	return id.Validate()
}

func signingInfo(t *testing.T, c credential) *m.SigningIdentityInfo {
	t.Helper()
	return &m.SigningIdentityInfo{
		PublicSigner:  c.pem(),
		PrivateSigner: &m.KeyInfo{KeyIdentifier: "test", KeyMaterial: c.keyPEM(t)},
	}
}

func rolePrincipal(t *testing.T, mspID string, role m.MSPRole_MSPRoleType) *m.MSPPrincipal {
	t.Helper()
	raw, err := proto.Marshal(&m.MSPRole{MspIdentifier: mspID, Role: role})
	require.NoError(t, err)
	return &m.MSPPrincipal{PrincipalClassification: m.MSPPrincipal_ROLE, Principal: raw}
}
