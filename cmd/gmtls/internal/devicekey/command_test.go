// SPDX-License-Identifier: Apache-2.0

package devicekey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cli"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
)

func gmtls(args ...string) (code int, out string) {
	var b bytes.Buffer
	code = cli.Run(append([]string{"key"}, args...), &b, &b)
	return code, b.String()
}

func TestCommands(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "node")
	priv := func(text []byte) any {
		key, err := gmx509.ParsePrivateKeyPEM(text, nil)
		require.NoError(t, err)
		return key
	}
	sign, _ := gmx509.AsSM2(priv(pair.SignKey))
	enc, _ := gmx509.AsSM2(priv(pair.EncKey))
	d := keydtest.StartSDFWith(t, sign, enc)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	const signURI, encURI = "sdf:device=hsm;index=1;usage=sign", "sdf:device=hsm;index=1;usage=encrypt"

	code, out := gmtls("reference", signURI, "--socket", d.Socket, "--out", file("sign.key"))
	require.Equal(t, exit.OK, code, out)
	written, err := os.ReadFile(file("sign.key"))
	require.NoError(t, err)
	require.Equal(t, string(d.SignReference(t)), string(written))
	code, out = gmtls("reference", signURI, "--socket", d.Socket, "--out", file("sign.key"))
	require.Equal(t, exit.Usage, code)
	require.Contains(t, out, "exists")
	code, out = gmtls("reference", encURI, "--socket", d.Socket, "--out", file("enc.key"), "--public", file("enc.pub"))
	require.Equal(t, exit.OK, code, out)
	public, err := os.ReadFile(file("enc.pub"))
	require.NoError(t, err)
	parsed, err := gmx509.ParsePublicKeyPEM(public)
	require.NoError(t, err)
	require.True(t, enc.PublicKey.Equal(parsed.(*ecdsa.PublicKey)))

	code, out = gmtls("list", "--socket", d.Socket)
	require.Equal(t, exit.OK, code, out)
	require.Contains(t, out, signURI)
	require.Contains(t, out, "SM2")

	code, out = gmtls("request", file("sign.key"), "--subject", `CN=peer0,O=Bank\, Ltd,C=CN`, "--dns", "peer0.example.com", "--ip", "10.0.0.1", "--out", file("sign.csr"))
	require.Equal(t, exit.OK, code, out)
	text, err := os.ReadFile(file("sign.csr"))
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	request, err := smx509.ParseCertificateRequest(block.Bytes)
	require.NoError(t, err)
	require.NoError(t, request.CheckSignature())
	require.Equal(t, "CN=peer0,O=Bank\\, Ltd,C=CN", request.Subject.String())
	require.Equal(t, []string{"peer0.example.com"}, request.DNSNames)
	if openssl, err := exec.LookPath("openssl"); err == nil {
		verified, err := exec.Command(openssl, "req", "-in", file("sign.csr"), "-verify", "-noout", "-sm3", "-vfyopt", "distid:1234567812345678").CombinedOutput()
		require.NoError(t, err, string(verified))
		require.Contains(t, string(verified), "OK")
	}
	// A key in a device issues certificates and revocation lists, as a CA's does.
	caKey, err := keyd.ParseReference(written)
	require.NoError(t, err)
	template := &gmx509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: gmx509.KeyUsageCertSign | gmx509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	der, err := gmx509.CreateCertificate(rand.Reader, template, template, caKey.Public(), caKey)
	require.NoError(t, err)
	caCert, err := gmx509.ParseCertificate(der)
	require.NoError(t, err)
	require.NoError(t, gmx509.CheckSignatureFrom(caCert, caCert))
	_, err = gmx509.CreateRevocationList(rand.Reader, &gmx509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}, caCert, caKey)
	require.NoError(t, err)

	code, out = gmtls("request", file("enc.key"), "--subject", "CN=x", "--out", file("enc.csr"))
	require.Equal(t, exit.Usage, code)
	require.Contains(t, out, "signs no request")
	for subject, reason := range map[string]string{"CN": "is not TYPE=VALUE", "X=y": "X is not known", "CN=a,CN=b": "occurs twice"} {
		code, out = gmtls("request", file("sign.key"), "--subject", subject, "--out", file("x"))
		require.Equal(t, exit.Usage, code)
		require.Contains(t, out, reason)
	}

	signCert, encCert := gmtlstest.WriteFile(t, dir, "sign.crt", pair.SignCert), gmtlstest.WriteFile(t, dir, "enc.crt", pair.EncCert)
	for _, half := range [][2]string{{file("sign.key"), signCert}, {file("enc.key"), encCert}} {
		code, out = gmtls("check", half[0], "--cert", half[1])
		require.Equal(t, exit.OK, code, out)
	}
	code, out = gmtls("check", file("sign.key"), "--cert", encCert)
	require.Equal(t, exit.Findings, code, out)
	software := gmtlstest.WriteFile(t, dir, "software.key", pair.SignKey)
	code, out = gmtls("check", software)
	require.Equal(t, exit.Usage, code)
	require.Contains(t, out, "no reference")

	// The key at the place was generated again.
	other := keydtest.Must(d.Reference(signURI, keydtest.NewKey(t)))(t)
	stale := gmtlstest.WriteFile(t, dir, "stale.key", keydtest.Must(other.Encode())(t))
	code, out = gmtls("check", stale)
	require.Equal(t, exit.Findings, code, out)
	require.Contains(t, out, "another key there")
	d.Folder.Set(keydtest.WrongKey, 1)
	code, out = gmtls("check", file("sign.key"))
	require.Equal(t, exit.Findings, code, out)
	code, out = gmtls("reference", "sdf:device=hsm;index=9;usage=sign", "--socket", d.Socket, "--out", file("y"))
	require.Equal(t, exit.Connect, code)
	require.Contains(t, out, "no such key")
}
