// SPDX-License-Identifier: Apache-2.0

package gmtlstest

import (
	"crypto"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"testing"
	"time"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Pair holds the four PEM texts of a TLCP end.
type Pair struct {
	SignCert, SignKey, EncCert, EncKey []byte
}

// Files are the paths that Pair.Write returns.
type Files struct {
	SignCert, SignKey, EncCert, EncKey string
}

// NewPair issues a pair for the hosts, DNS names or IP addresses, usable by server and client, valid for a day.
func (ca *CA) NewPair(t testing.TB, hosts ...string) Pair {
	t.Helper()
	return ca.NewPairUntil(t, time.Now().Add(validity), hosts...)
}

// NewPairUntil is NewPair with an end of validity, which may lie in the past.
func (ca *CA) NewPairUntil(t testing.TB, notAfter time.Time, hosts ...string) Pair {
	t.Helper()
	return ca.newPair(t, time.Time{}, notAfter, nil, hosts)
}

// NewPairFrom is NewPair with a start of validity, which may lie ahead by less than the day.
func (ca *CA) NewPairFrom(t testing.TB, notBefore time.Time, hosts ...string) Pair {
	t.Helper()
	return ca.newPair(t, notBefore, time.Now().Add(validity), nil, hosts)
}

// NewPairFor is NewPair for one use, x509.ExtKeyUsageServerAuth or x509.ExtKeyUsageClientAuth.
func (ca *CA) NewPairFor(t testing.TB, use x509.ExtKeyUsage, hosts ...string) Pair {
	t.Helper()
	return ca.newPair(t, time.Time{}, time.Now().Add(validity), []x509.ExtKeyUsage{use}, hosts)
}

// NewPairOfOneKey is NewPair with one key in both certificates, as no pair should be.
func (ca *CA) NewPairOfOneKey(t testing.TB, hosts ...string) Pair {
	t.Helper()
	key := newKey(t, ca.Family)
	return ca.certifyPair(t, [2]crypto.Signer{key, key}, time.Time{}, time.Now().Add(validity), nil, hosts)
}

func (ca *CA) newPair(t testing.TB, notBefore, notAfter time.Time, uses []x509.ExtKeyUsage, hosts []string) Pair {
	t.Helper()
	return ca.certifyPair(t, [2]crypto.Signer{newKey(t, ca.Family), newKey(t, ca.Family)}, notBefore, notAfter, uses, hosts)
}

// certifyPair certifies the keys for uses; nil means both. No notBefore means a time that is past.
func (ca *CA) certifyPair(t testing.TB, keys [2]crypto.Signer, notBefore, notAfter time.Time, uses []x509.ExtKeyUsage, hosts []string) Pair {
	t.Helper()
	subject := pkix.Name{CommonName: "node", SerialNumber: newSerial(t).String()} // one for both, as peers demand
	half := func(usage x509.KeyUsage, key crypto.Signer) *Leaf {
		template := newTemplate(t, subject, notAfter)
		template.KeyUsage = usage
		if !notBefore.IsZero() {
			template.NotBefore = notBefore
		}
		if uses != nil {
			template.ExtKeyUsage = uses
		}
		return ca.leaf(t, template, key, hosts)
	}
	sign, enc := half(x509.KeyUsageDigitalSignature, keys[0]), half(x509.PairEncryptionUsage, keys[1])
	return Pair{SignCert: sign.CertPEM, SignKey: sign.KeyPEM, EncCert: enc.CertPEM, EncKey: enc.KeyPEM}
}

// Bundle returns the certificates and keys as PEM bundles, behind a standard pair if one is given.
func (p Pair) Bundle(stdCert, stdKey []byte) (certs, keys []byte) {
	certs = append(append(append([]byte{}, stdCert...), p.SignCert...), p.EncCert...)
	keys = append(append(append([]byte{}, stdKey...), p.SignKey...), p.EncKey...)
	return certs, keys
}

// Write stores the pair in the folder as PREFIX-sign.crt, PREFIX-sign.key, PREFIX-enc.crt and PREFIX-enc.key, replacing
// what is there.
func (p Pair) Write(t testing.TB, dir, prefix string) Files {
	t.Helper()
	return Files{
		SignCert: WriteFile(t, dir, prefix+"-sign.crt", p.SignCert),
		SignKey:  WriteFile(t, dir, prefix+"-sign.key", p.SignKey),
		EncCert:  WriteFile(t, dir, prefix+"-enc.crt", p.EncCert),
		EncKey:   WriteFile(t, dir, prefix+"-enc.key", p.EncKey),
	}
}

// Encrypt encrypts the two keys in place, and returns the path of a new file in dir that holds the password.
func (f Files) Encrypt(t testing.TB, dir string) (passwordFile string) {
	t.Helper()
	const password = "of a test"
	for _, path := range []string{f.SignKey, f.EncKey} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509.ParsePrivateKeyPEM(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = x509.MarshalPrivateKeyPEM(key, []byte(password)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return WriteFile(t, dir, "password", []byte(password+"\n"))
}

// WriteFile stores one file and returns its path.
func WriteFile(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
