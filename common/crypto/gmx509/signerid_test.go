// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/stretchr/testify/require"
)

// caseCert reads one of the certificates that other tools have made.
func caseCert(t *testing.T, name string) *Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "material", "testdata", "cases", name))
	require.NoError(t, err)
	cert, err := ParseCertificatePEM(text)
	require.NoError(t, err)
	return cert
}

func TestSignatureWithAnotherSignerID(t *testing.T) {
	ca, peer := caseCert(t, "signer-id/ca.crt"), caseCert(t, "signer-id/peer.crt")
	other := caseCert(t, "base/ca.crt")
	require.ErrorIs(t, CheckSignatureFrom(peer, ca), ErrOtherSignerID)
	require.ErrorIs(t, CheckSignatureFrom(ca, ca), ErrOtherSignerID)
	require.True(t, signedWithEmptyID(ca.PublicKey.(*ecdsa.PublicKey), peer.RawTBSCertificate, peer.Signature))
	require.False(t, signedWithEmptyID(other.PublicKey.(*ecdsa.PublicKey), peer.RawTBSCertificate, peer.Signature))
	require.False(t, signedWithEmptyID(ca.PublicKey.(*ecdsa.PublicKey), append(bytes.Clone(peer.RawTBSCertificate), 0), peer.Signature))
	good := caseCert(t, "base/peer/msp/signcerts/peer.crt")
	require.False(t, signedWithEmptyID(other.PublicKey.(*ecdsa.PublicKey), good.RawTBSCertificate, good.Signature), "signed with the default id")

	roots := NewCertPool()
	roots.AddCert(ca)
	_, err := Verify(peer, VerifyOptions{Roots: roots, CurrentTime: peer.NotBefore.Add(time.Hour), KeyUsages: []ExtKeyUsage{ExtKeyUsageAny}})
	require.ErrorIs(t, err, ErrOtherSignerID)
	require.ErrorContains(t, err, "name and key id of the issuer fit")
	require.ErrorContains(t, err, "-sigopt distid:1234567812345678")
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)

	// Another authority, and one of this name with another key, explain nothing.
	require.NoError(t, Explain([]*Certificate{peer}, []*Certificate{other}))
	renamed := *other
	renamed.RawSubject = ca.RawSubject
	require.NoError(t, Explain([]*Certificate{peer}, []*Certificate{&renamed}))
	renamed.SubjectKeyId = peer.AuthorityKeyId
	require.ErrorIs(t, Explain([]*Certificate{peer}, []*Certificate{&renamed}), errWrongSignature, "the key id is claimed")
	// The work is bounded.
	many := []*Certificate{&renamed, &renamed, &renamed, &renamed, ca}
	require.NotErrorIs(t, Explain([]*Certificate{peer}, many), ErrOtherSignerID)
	require.ErrorIs(t, Explain([]*Certificate{peer}, many[1:]), ErrOtherSignerID)
}

// TestReasonAmongManyCAs: CAs are compared with each other only if they are few.
func TestReasonAmongManyCAs(t *testing.T) {
	ca, peer := caseCert(t, "signer-id/ca.crt"), caseCert(t, "signer-id/peer.crt")
	opts := VerifyOptions{Roots: NewCertPool(), Intermediates: NewCertPool(), CurrentTime: peer.NotBefore.Add(time.Hour), KeyUsages: []ExtKeyUsage{ExtKeyUsageAny}}
	opts.Roots.AddCert(ca)
	for range explainedAmong - 1 {
		opts.Intermediates.AddCert(issue(t, template("another", true), sm2Key(t), nil).cert)
	}
	_, err := Verify(peer, opts)
	require.ErrorIs(t, err, ErrOtherSignerID)
	opts.Intermediates.AddCert(issue(t, template("one more", true), sm2Key(t), nil).cert)
	_, err = Verify(peer, opts)
	require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
	require.NotErrorIs(t, err, ErrOtherSignerID)
}

// TestSignatureWithANamedSignerID: which id a CA used cannot be found out. That its name and key id fit is told, and what may be wrong.
func TestSignatureWithANamedSignerID(t *testing.T) {
	root := issue(t, template("root", true), sm2Key(t), nil)
	good := issue(t, template("leaf", false), sm2Key(t), root).cert
	sig, err := root.key.(*sm2.PrivateKey).Sign(rand.Reader, good.RawTBSCertificate, sm2.NewSM2SignerOption(true, []byte("ALICE123@YAHOO.COM")))
	require.NoError(t, err)
	der, err := asn1.Marshal(struct {
		Signed    asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: good.RawTBSCertificate}, pkix.AlgorithmIdentifier{Algorithm: oidSM2WithSM3}, asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}})
	require.NoError(t, err)
	leaf, err := ParseCertificate(der)
	require.NoError(t, err)
	roots := NewCertPool()
	roots.AddCert(root.cert)
	_, err = Verify(leaf, VerifyOptions{Roots: roots, CurrentTime: leaf.NotBefore.Add(time.Hour), KeyUsages: []ExtKeyUsage{ExtKeyUsageAny}})
	require.NotErrorIs(t, err, ErrOtherSignerID)
	require.ErrorContains(t, err, "name and key id of the issuer fit: x509: SM2 signature is wrong")
	require.ErrorContains(t, err, "-sigopt distid:1234567812345678")
	require.NoError(t, Explain([]*Certificate{good}, []*Certificate{root.cert}))
}

// The openssl command signs with the empty id unless told otherwise, which the error says how to do.
func TestSignerIDOfOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl command")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	run("ecparam", "-name", "SM2", "-genkey", "-noout", "-out", "ca.key")
	selfSigned := []string{"req", "-x509", "-new", "-key", "ca.key", "-sm3", "-subj", "/CN=ca", "-out", "ca.crt"}
	for _, c := range []struct {
		option []string
		want   error
	}{{nil, ErrOtherSignerID}, {[]string{"-sigopt", "distid:1234567812345678"}, nil}} {
		run(append(selfSigned, c.option...)...)
		text, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
		require.NoError(t, err)
		cert, err := ParseCertificatePEM(text)
		require.NoError(t, err)
		require.ErrorIs(t, CheckSignatureFrom(cert, cert), c.want)
	}
}

// What SDKs get wrong is told; a good signature, and one by another key, explain nothing.
func TestExplainSM2Signature(t *testing.T) {
	key, other := sm2Key(t), sm2Key(t)
	msg := []byte("a transaction")
	ownDigest, sha := sm3.Sum(msg), sha256.Sum256(msg)
	asMessage := func(k *sm2.PrivateKey, m []byte) []byte {
		sig, err := k.Sign(rand.Reader, m, sm2.DefaultSM2SignerOpts)
		require.NoError(t, err)
		return sig
	}
	bare := func(digest []byte) []byte {
		sig, err := sm2.SignASN1(rand.Reader, key, digest, nil)
		require.NoError(t, err)
		return sig
	}
	for want, sig := range map[string][]byte{
		"over the SM3 digest of the message, as if":     asMessage(key, ownDigest[:]),
		"over the SHA-256 digest of the message, as if": asMessage(key, sha[:]),
		"SM3 digest of the message without Z":           bare(ownDigest[:]),
		"SHA-256 digest of the message without Z":       bare(sha[:]),
	} {
		require.Contains(t, ExplainSM2Signature(&key.PublicKey, msg, sig), want)
		require.Empty(t, ExplainSM2Signature(&other.PublicKey, msg, sig))
	}
	peer, ca := caseCert(t, "signer-id/peer.crt"), caseCert(t, "signer-id/ca.crt")
	require.Contains(t, ExplainSM2Signature(ca.PublicKey.(*ecdsa.PublicKey), peer.RawTBSCertificate, peer.Signature), "empty signer id")
	require.Empty(t, ExplainSM2Signature(&key.PublicKey, msg, asMessage(key, msg)))
	require.Empty(t, ExplainSM2Signature(&key.PublicKey, msg, []byte("no DER")))
	require.Empty(t, ExplainSM2Signature(&p256Key(t).PublicKey, msg, asMessage(key, msg)))
}
