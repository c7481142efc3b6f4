// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

// openssl runs the command in dir and fails the test if it does. Without the command the test is skipped.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "openssl %v\n%s", args, out)
}

// What this package writes is accepted by openssl, which shares no code with it.
func TestOpenSSLReadsOurs(t *testing.T) {
	const distID = "distid:1234567812345678"
	dir := t.TempDir()
	write := func(name, blockType string, der []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der}), 0o600))
	}
	root := issue(t, template("root", true), sm2Key(t), nil)
	inter := issue(t, template("inter", true), sm2Key(t), root)
	leaf := issue(t, template("leaf", false), sm2Key(t), inter)
	write("root.crt", "CERTIFICATE", root.cert.Raw)
	write("inter.crt", "CERTIFICATE", inter.cert.Raw)
	write("leaf.crt", "CERTIFICATE", leaf.cert.Raw)
	// OpenSSL 3.0 gives the signer id to the last certificate alone, so the chain is checked link by link.
	openssl(t, dir, "verify", "-x509_strict", "-vfyopt", distID, "-CAfile", "root.crt", "inter.crt")
	openssl(t, dir, "verify", "-x509_strict", "-vfyopt", distID, "-partial_chain", "-CAfile", "inter.crt", "leaf.crt")

	key := leaf.key.(*sm2.PrivateKey)
	text, err := MarshalPrivateKeyPEM(key, nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "leaf.key"), text, 0o600))
	openssl(t, dir, "pkey", "-in", "leaf.key", "-check", "-noout")
	openssl(t, dir, "pkey", "-in", "leaf.key", "-pubout", "-out", "leaf.key.pub")
	pub, err := MarshalPublicKeyPEM(leaf.cert.PublicKey)
	require.NoError(t, err)
	theirs, err := os.ReadFile(filepath.Join(dir, "leaf.key.pub"))
	require.NoError(t, err)
	require.Equal(t, string(pub), string(theirs))

	der, err := CreateCertificateRequest(rand.Reader, &CertificateRequest{Subject: leaf.cert.Subject}, key)
	require.NoError(t, err)
	write("leaf.csr", "CERTIFICATE REQUEST", der)
	openssl(t, dir, "req", "-in", "leaf.csr", "-verify", "-vfyopt", distID, "-noout")

	now := time.Now()
	der, err = CreateRevocationList(rand.Reader, &RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour)},
		root.cert, root.key.(*sm2.PrivateKey))
	require.NoError(t, err)
	write("root.crl", "X509 CRL", der)
	openssl(t, dir, "crl", "-in", "root.crl", "-noout", "-text")

	msg := []byte("signed by us")
	sig, err := key.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "msg"), msg, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sig"), sig, 0o600))
	openssl(t, dir, "dgst", "-sm3", "-verify", "leaf.key.pub", "-sigopt", distID, "-signature", "sig", "msg")
}

// TestRemedyForEncryptions: keys that openssl encrypts in ways that are not read are refused with a command, and what that command makes of
// them is read.
func TestRemedyForEncryptions(t *testing.T) {
	dir := t.TempDir()
	text, err := MarshalPrivateKeyPEM(sm2Key(t), nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plain.pem"), text, 0o600))
	plain, err := ParsePrivateKeyPEM(text, nil)
	require.NoError(t, err)
	for name, args := range map[string][]string{
		"PBES1":          {"pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES"},
		"scrypt":         {"pkcs8", "-topk8", "-scrypt"},
		"HMAC-SHA224":    {"pkcs8", "-topk8", "-v2", "aes256", "-v2prf", "hmacWithSHA224"},
		"3DES":           {"pkcs8", "-topk8", "-v2", "des3"},
		"SM4 in CTR":     {"pkcs8", "-topk8", "-v2", "sm4-ctr"},
		"old form, ARIA": {"ec", "-aria128"},
	} {
		t.Run(name, func(t *testing.T) {
			openssl(t, dir, append(args, "-in", "plain.pem", "-passout", "pass:secret", "-out", "FILE")...)
			text, err := os.ReadFile(filepath.Join(dir, "FILE"))
			require.NoError(t, err)
			_, err = ParsePrivateKeyPEM(text, []byte("secret"))
			require.ErrorContains(t, err, "; convert it with: openssl ")
			_, command, _ := strings.Cut(err.Error(), "openssl ")
			openssl(t, dir, append(strings.Fields(command), "-passin", "pass:secret", "-passout", "pass:secret")...)
			text, err = os.ReadFile(filepath.Join(dir, "FILE.pem"))
			require.NoError(t, err)
			key, err := ParsePrivateKeyPEM(text, []byte("secret"))
			require.NoError(t, err)
			require.True(t, plain.(*sm2.PrivateKey).Equal(key))
		})
	}
}

// TestKeysOfOtherKinds: a key that is whole but of a kind that is not read is refused for its kind: not as no key, and not for a wrong password.
func TestKeysOfOtherKinds(t *testing.T) {
	dir := t.TempDir()
	for _, curve := range []string{"brainpoolP256r1", "secp256k1"} {
		openssl(t, dir, "ecparam", "-name", curve, "-genkey", "-noout", "-out", curve)
		openssl(t, dir, "ec", "-in", curve, "-aes128", "-passout", "pass:secret", "-out", curve+".legacy")
		for _, name := range []string{curve, curve + ".legacy"} {
			_, err := ParsePrivateKeyPEM(readText(t, dir, name), []byte("secret"))
			require.ErrorContains(t, err, "SEC 1 form, which is read on the curves of NIST and of SM2: x509: unknown elliptic curve", name)
			require.NotErrorIs(t, err, ErrWrongPassword, name)
		}
	}
	openssl(t, dir, "genpkey", "-algorithm", "ed448", "-aes256", "-pass", "pass:secret", "-out", "ed448")
	_, err := ParsePrivateKeyPEM(readText(t, dir, "ed448"), []byte("secret"))
	require.ErrorContains(t, err, "unknown algorithm")
	require.NotErrorIs(t, err, ErrWrongPassword)
	for i := range 600 { // one in 256 fits the padding
		for _, name := range []string{"ed448", "secp256k1.legacy"} {
			_, err = ParsePrivateKeyPEM(readText(t, dir, name), fmt.Appendf(nil, "other %d", i))
			require.ErrorIs(t, err, ErrWrongPassword, name)
		}
	}
}

func readText(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return text
}
