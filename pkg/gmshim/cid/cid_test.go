// SPDX-License-Identifier: Apache-2.0

package cid_test

import (
	"crypto/ecdsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/attrmgr"
	upstream "github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/pkg/gmshim/cid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// creator is a stub that knows its creator and nothing else.
type creator struct {
	bytes []byte
	err   error
}

func (c creator) GetCreator() ([]byte, error) { return c.bytes, c.err }

func serialized(t testing.TB, mspID string, idBytes []byte) creator {
	t.Helper()
	b, err := proto.Marshal(&msp.SerializedIdentity{Mspid: mspID, IdBytes: idBytes})
	require.NoError(t, err)
	return creator{bytes: b}
}

var awkwardSubject = pkix.Name{
	Country: []string{"CN"}, Province: []string{"北京"}, Locality: []string{" leading"}, StreetAddress: []string{"trailing "},
	PostalCode: []string{"#100080"}, Organization: []string{`Quote "and" \ slash`, "Second, Ltd."},
	OrganizationalUnit: []string{"client", "a+b<c>d;e"}, CommonName: "用户一", SerialNumber: "7",
	ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "user@example.com"}},
}

func attributes(json string) pkix.Extension {
	return pkix.Extension{Id: attrmgr.AttrOID, Value: []byte(json)}
}

// outcome is all that the functions of a cid package say about a creator.
type outcome struct {
	ID, MSPID      string
	IDError        bool
	Role           string
	RoleFound      bool
	AssertRight    bool
	AssertWrong    bool
	AssertAbsent   bool
	OU, OtherOU    bool
	OUError        bool
	HasCertificate bool
	Subject        string
}

func ours(t *testing.T, stub creator) (o outcome) {
	t.Helper()
	var err error
	o.ID, err = cid.GetID(stub)
	o.IDError = err != nil
	o.MSPID, err = cid.GetMSPID(stub)
	require.NoError(t, err)
	o.Role, o.RoleFound, err = cid.GetAttributeValue(stub, "role")
	require.NoError(t, err)
	o.AssertRight = cid.AssertAttributeValue(stub, "role", "member") == nil
	o.AssertWrong = cid.AssertAttributeValue(stub, "role", "other") == nil
	o.AssertAbsent = cid.AssertAttributeValue(stub, "absent", "") == nil
	o.OU, err = cid.HasOUValue(stub, "client")
	o.OUError = err != nil
	o.OtherOU, _ = cid.HasOUValue(stub, "other")
	cert, err := cid.GetX509Certificate(stub)
	require.NoError(t, err)
	if cert != nil {
		o.HasCertificate, o.Subject = true, cert.Subject.String()
	}
	return o
}

func theirs(t *testing.T, stub creator) (o outcome) {
	t.Helper()
	var err error
	o.ID, err = upstream.GetID(stub)
	o.IDError = err != nil
	o.MSPID, err = upstream.GetMSPID(stub)
	require.NoError(t, err)
	o.Role, o.RoleFound, err = upstream.GetAttributeValue(stub, "role")
	require.NoError(t, err)
	o.AssertRight = upstream.AssertAttributeValue(stub, "role", "member") == nil
	o.AssertWrong = upstream.AssertAttributeValue(stub, "role", "other") == nil
	o.AssertAbsent = upstream.AssertAttributeValue(stub, "absent", "") == nil
	o.OU, err = upstream.HasOUValue(stub, "client")
	o.OUError = err != nil
	o.OtherOU, _ = upstream.HasOUValue(stub, "other")
	cert, err := upstream.GetX509Certificate(stub)
	require.NoError(t, err)
	if cert != nil {
		o.HasCertificate, o.Subject = true, cert.Subject.String()
	}
	return o
}

func TestSameResultsAsUpstream(t *testing.T) {
	ecdsaCA, sm2CA := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca, of kits"), gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "ca, of kits")
	for name, tc := range map[string]struct {
		subject    pkix.Name
		extensions []pkix.Extension
	}{
		"plain":         {subject: pkix.Name{CommonName: "user", OrganizationalUnit: []string{"client"}}},
		"awkward names": {subject: awkwardSubject},
		"no names":      {},
		"attributes": {
			subject:    pkix.Name{CommonName: "user"},
			extensions: []pkix.Extension{attributes(`{"attrs":{"role":"member","hf.Type":"client"}}`)},
		},
		"other attributes": {
			subject:    pkix.Name{CommonName: "user"},
			extensions: []pkix.Extension{attributes(`{"attrs":{"roles":"member"}}`)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			classic := serialized(t, "Org1MSP", ecdsaCA.Issue(t, tc.subject, tc.extensions...).CertPEM)
			want := theirs(t, classic)
			require.Equal(t, want, ours(t, classic), "ECDSA creator")

			// Upstream cannot read the SM2 creator; with the same names and attributes it must come out the same.
			gm := serialized(t, "Org1MSP", sm2CA.Issue(t, tc.subject, tc.extensions...).CertPEM)
			require.Equal(t, want, ours(t, gm), "SM2 creator")
			_, err := upstream.New(gm)
			require.Error(t, err, "upstream reads SM2 creators now: this package may have become needless")
		})
	}
}

func TestIdemixCreator(t *testing.T) {
	ou, err := proto.Marshal(&msp.OrganizationUnit{OrganizationalUnitIdentifier: "org1.department1"})
	require.NoError(t, err)
	role, err := proto.Marshal(&msp.MSPRole{Role: msp.MSPRole_MEMBER})
	require.NoError(t, err)
	idBytes, err := proto.Marshal(&msp.SerializedIdemixIdentity{NymX: []byte{1}, NymY: []byte{2}, Ou: ou, Role: role})
	require.NoError(t, err)
	stub := serialized(t, "IdemixMSP", idBytes)

	got := ours(t, stub)
	require.Equal(t, theirs(t, stub), got)
	require.True(t, got.IDError && got.OUError && got.AssertRight && !got.HasCertificate, "%+v", got)
	value, found, err := cid.GetAttributeValue(stub, "ou")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "org1.department1", value)
}

func TestSM2CertificateAndID(t *testing.T) {
	leaf := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "root").Issue(t, pkix.Name{CommonName: "user"})
	stub := serialized(t, "Org1MSP", leaf.CertPEM)

	cert, err := cid.GetX509Certificate(stub)
	require.NoError(t, err)
	require.Equal(t, leaf.Cert.Raw, cert.Raw)
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	require.True(t, ok, "%T", cert.PublicKey)
	require.Equal(t, sm2.P256(), key.Curve)

	id, err := cid.GetID(stub)
	require.NoError(t, err)
	text, err := base64.StdEncoding.DecodeString(id)
	require.NoError(t, err)
	require.Equal(t, "x509::CN=user::CN=root,O=tests", string(text))
}

// TestSubjectsWithOneID: ids leave attributes out, as upstream's do. The certificate has them.
func TestSubjectsWithOneID(t *testing.T) {
	ca := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "root")
	var ids []string
	var subjects [][]byte
	for _, uid := range []string{"1001", "1002"} {
		leaf := ca.Issue(t, pkix.Name{CommonName: "user", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: uid},
		}})
		stub := serialized(t, "Org1MSP", leaf.CertPEM)
		id, err := cid.GetID(stub)
		require.NoError(t, err)
		want, err := upstream.GetID(stub)
		require.NoError(t, err)
		require.Equal(t, want, id)
		cert, err := cid.GetX509Certificate(stub)
		require.NoError(t, err)
		ids, subjects = append(ids, id), append(subjects, cert.RawSubject)
	}
	require.Equal(t, ids[0], ids[1], "ids tell these apart now: mend the comment on GetID")
	require.NotEqual(t, subjects[0], subjects[1])
}

func TestUnreadableCreators(t *testing.T) {
	cause := errors.New("no stub today")
	leaf := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "root").Issue(t, pkix.Name{CommonName: "user"}, attributes(`{"attrs":`))
	damaged := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Cert.Raw[:100]})
	for name, stub := range map[string]creator{
		"absent":                {},
		"error of the stub":     {err: cause},
		"not a message":         {bytes: []byte("foo")},
		"empty message":         {bytes: []byte{}},
		"neither PEM nor proto": serialized(t, "Org1MSP", []byte("\xff\xff")),
		"damaged certificate":   serialized(t, "Org1MSP", damaged),
		"damaged attributes":    serialized(t, "Org1MSP", leaf.CertPEM),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "empty message" {
				// An empty creator is an idemix identity without fields to both packages; peers never pass one on.
				require.Equal(t, theirs(t, stub), ours(t, stub))
				return
			}
			_, err := cid.New(stub)
			require.Error(t, err)
			_, err = upstream.New(stub)
			require.Error(t, err)
			_, err = cid.GetID(stub)
			require.Error(t, err)
			_, err = cid.GetMSPID(stub)
			require.Error(t, err)
			_, _, err = cid.GetAttributeValue(stub, "role")
			require.Error(t, err)
			require.Error(t, cid.AssertAttributeValue(stub, "role", ""))
			_, err = cid.HasOUValue(stub, "client")
			require.Error(t, err)
			_, err = cid.GetX509Certificate(stub)
			require.Error(t, err)
			if stub.err != nil {
				require.ErrorIs(t, err, cause)
			}
		})
	}
}

// FuzzID compares the ids of both packages over arbitrary names. The seeds run in every test.
func FuzzID(f *testing.F) {
	for _, seed := range []string{"", " ", "#", "a ", " a", "a,b", `a\`, `"`, "中 文#", "a\x00b", "+++", "\u2028"} {
		f.Add(seed, seed)
	}
	ca := gmtlstest.NewFamilyCA(f, gmtlstest.ECDSA, " #ca; ")
	f.Fuzz(func(t *testing.T, name, organization string) {
		if !utf8.ValidString(name) || !utf8.ValidString(organization) {
			t.Skip("not a name that a certificate can hold")
		}
		leaf := ca.Issue(t, pkix.Name{CommonName: name, Organization: []string{organization}})
		stub := serialized(t, "Org1MSP", leaf.CertPEM)
		want, err := upstream.GetID(stub)
		require.NoError(t, err)
		got, err := cid.GetID(stub)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// FuzzCreator compares both packages on creators of any shape: what upstream reads, ours reads alike, and what ours alone
// reads is SM2.
func FuzzCreator(f *testing.F) {
	for _, family := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
		leaf := gmtlstest.NewFamilyCA(f, family, "ca").Issue(f, awkwardSubject, attributes(`{"attrs":{"role":"member"}}`))
		f.Add("Org1MSP", leaf.CertPEM)
		f.Add("Org1MSP", leaf.CertPEM[:len(leaf.CertPEM)/2])
		f.Add("", leaf.Cert.Raw)
	}
	f.Fuzz(func(t *testing.T, mspID string, idBytes []byte) {
		if !utf8.ValidString(mspID) {
			t.Skip("not a string that a message can hold")
		}
		stub := serialized(t, mspID, idBytes)
		got, err := cid.New(stub)
		if _, upstreamErr := upstream.New(stub); upstreamErr == nil {
			require.NoError(t, err)
			require.Equal(t, theirs(t, stub), ours(t, stub))
			return
		}
		if err == nil {
			cert, err := got.GetX509Certificate()
			require.NoError(t, err)
			require.Equal(t, sm2.P256(), cert.PublicKey.(*ecdsa.PublicKey).Curve)
		}
	})
}

// exported lists the functions, and the methods of ClientID, that a package has for others.
func exported(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || !function.Name.IsExported() {
				continue
			}
			name := function.Name.Name
			if function.Recv != nil {
				name = "ClientID." + name
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestSameFunctionsAsUpstream(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid").Output()
	require.NoError(t, err)
	theirs := exported(t, strings.TrimSpace(string(out)))
	require.Contains(t, theirs, "GetID")
	require.Equal(t, theirs, exported(t, "."))
}
