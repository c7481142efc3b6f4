// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// listsOf returns two revocation lists of an ECDSA CA: one as it should be, and one with a number alone, as openssl makes it without crl_extensions.
func listsOf(t *testing.T, ca *pki.CA) (whole, bare []byte) {
	t.Helper()
	encode := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}) }
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().AddDate(0, 1, 0)}, ca.Cert, ca.Key)
	require.NoError(t, err)
	list, err := x509.ParseCRL(der)
	require.NoError(t, err)
	tbs := list.TBSCertList
	tbs.Raw = nil
	var kept []pkix.Extension
	for _, e := range tbs.Extensions {
		if !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 35}) {
			kept = append(kept, e)
		}
	}
	require.Len(t, kept, len(tbs.Extensions)-1)
	tbs.Extensions = kept
	signed, err := asn1.Marshal(tbs)
	require.NoError(t, err)
	sum := sha256.Sum256(signed)
	signature, err := ecdsa.SignASN1(rand.Reader, ca.Key.(*ecdsa.PrivateKey), sum[:])
	require.NoError(t, err)
	tbs.Raw = signed
	der2, err := asn1.Marshal(pkix.CertificateList{TBSCertList: tbs, SignatureAlgorithm: list.SignatureAlgorithm, SignatureValue: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	require.NoError(t, err)
	return encode(der), encode(der2)
}

// TestListByWhichEverybodyIsRefused: a list without the key identifier of its CA is a problem wherever an operator shows it to the tool: by
// itself, in an MSP folder, and in a channel, where nobody of the organisation could take it out again.
func TestListByWhichEverybodyIsRefused(t *testing.T) {
	ca, err := pki.NewCA("bank", false, time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0))
	require.NoError(t, err)
	root := pki.CertPEM(ca.Cert)
	whole, bare := listsOf(t, ca)
	for _, c := range []struct {
		list []byte
		bad  bool
	}{{whole, false}, {bare, true}} {
		judge := func(out string) {
			t.Helper()
			if !c.bad {
				require.NotContains(t, out, "crl-")
				return
			}
			require.Contains(t, out, "PROBLEM crl-no-key-id: ")
			require.Contains(t, out, "Nodes refuse every identity of an organisation")
		}
		judge(inspected(t, "ca.crl", c.list))
		block := raftBlock(t, nil, map[string]*common.ConfigGroup{"Bank": member(t, &msp.FabricMSPConfig{Name: "BankMSP", RootCerts: [][]byte{root}, RevocationList: [][]byte{c.list}})}, nil, nil)
		judge(inspected(t, "trade.block", block))
		dir := t.TempDir()
		for folder, data := range map[string][]byte{"cacerts": root, "crls": c.list} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
			gmtlstest.WriteFile(t, filepath.Join(dir, folder), "a.pem", data)
		}
		r := &Report{now: time.Now()}
		require.NoError(t, r.node(dir))
		var out bytes.Buffer
		r.finish().write(&out)
		judge(out.String())
	}
}
