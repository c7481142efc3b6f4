// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
)

// caseName is the name of a file as other tools have made it; base/peer/tls holds the files of a good peer.
func caseName(name string) string {
	return filepath.Join("../../../common/crypto/material/testdata/cases", name)
}

// baseFiles are the files of the good peer, with those of a case in their places.
func baseFiles(cases map[string]string) Files {
	name := func(file string) string {
		if other := cases[file]; other != "" {
			return caseName(other)
		}
		return caseName("base/peer/tls/" + file)
	}
	f := Files{
		SignCert: name("server-sign.crt"), SignKey: name("server-sign.key"),
		EncCert: name("server-enc.crt"), EncKey: name("server-enc.key"),
		ServerRootCAs: []string{name("gm-ca.crt")},
	}
	f.ConfigKeys = map[string]string{
		f.SignCert: "tls.signCert", f.SignKey: "tls.signKey", f.EncCert: "tls.encCert", f.EncKey: "tls.encKey", f.ServerRootCAs[0]: "tls.root",
	}
	return f
}

// TestFilesOfCases: each fault is told by the configuration key, the file and the parser's own reason.
func TestFilesOfCases(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		say   []string
	}{
		"bad name":        {map[string]string{"server-sign.crt": "tlcp-files/bad-name.crt"}, []string{"tls.signCert: ", "bad-name.crt: certificate: x509: "}},
		"negative serial": {map[string]string{"server-enc.crt": "tlcp-files/negative-serial.crt"}, []string{"tls.encCert: ", "negative-serial.crt: certificate: x509: negative serial number"}},
		"P-256":           {map[string]string{"server-sign.crt": "tlcp-files/p256.crt"}, []string{"tls.signCert: ", "p256.crt: x509: the certificate's key is ECDSA P-256", "server-sign.key"}},
		"no KeyUsage":     {map[string]string{"server-sign.crt": "no-keyusage/server-sign.crt", "server-enc.crt": "no-keyusage/server-enc.crt"}, []string{"tls.signCert: ", "no KeyUsage", "no-keyusage/server-sign.crt"}},
		"encrypted key":   {map[string]string{"server-enc.key": "gmssl3-keys/enc.key"}, []string{"tls.encKey: ", "gmssl3-keys/enc.key: ", "encrypted", "keyPassword"}},
		"envelope":        {map[string]string{"server-enc.key": "enveloped-keys/enveloped.der"}, []string{"tls.encKey: ", "SM2EnvelopedKey", "gmtls key"}},
		"CFCA":            {map[string]string{"server-enc.key": "enveloped-keys/cfca.sm2"}, []string{"tls.encKey: ", "CFCA", "gmtls key"}},
		"absent":          {map[string]string{"server-enc.key": "none.key"}, []string{"tls.encKey: ", "none.key: no such file"}},
		"a key as a root": {map[string]string{"gm-ca.crt": "base/gm-ca.key"}, []string{"tls.root: ", "gm-ca.key: it is a private key"}},
		"trusted root":    {map[string]string{"gm-ca.crt": "identity-ca/trusted-label.crt"}, []string{"tls.root: ", "TRUSTED CERTIFICATE"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := baseFiles(c.files).Load()
			for _, say := range c.say {
				require.ErrorContains(t, err, say)
			}
		})
	}
	for name, c := range map[string]struct {
		files map[string]string
		roots int
	}{
		"good":             {nil, 1},
		"DER":              {map[string]string{"server-sign.crt": "tlcp-files/der.crt"}, 1},
		"compressed point": {map[string]string{"server-sign.key": "key-forms/sign-compressed.key"}, 1},
		"one file":         {map[string]string{"server-sign.crt": "one-file/both.pem", "server-sign.key": "one-file/both.pem"}, 1},
		"roots are joined": {map[string]string{"gm-ca.crt": "root-bundle/joined.pem"}, 3},
		"several of these": {map[string]string{"server-sign.crt": "one-file/both.pem", "server-sign.key": "key-forms/sign-compressed.key", "gm-ca.crt": "root-bundle/joined.pem"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := baseFiles(c.files).Load()
			require.NoError(t, err)
			require.Len(t, m.serverRoots.gm, c.roots)
			require.Len(t, m.GM.Certificate, 2)
		})
	}
}

// TestOwnPairIsJudgedAsByAPeer: what every peer refuses is refused at start and at a reload, and then what was good stays.
func TestOwnPairIsJudgedAsByAPeer(t *testing.T) {
	org, other := newPKI(t), newPKI(t)
	good := org.node(t)
	for name, c := range map[string]struct {
		pair  func() bundles
		say   string
		roots [][]byte
	}{
		"two subjects": {func() bundles {
			a, b := org.gm.NewPair(t, "127.0.0.1"), org.gm.NewPair(t, "127.0.0.1")
			a.EncCert, a.EncKey = b.EncCert, b.EncKey
			return pairMaterial(a)
		}, "differ in subject or issuer", org.roots()},
		"two issuers": {func() bundles {
			a, b := org.gm.NewPair(t, "127.0.0.1"), other.gm.NewPair(t, "127.0.0.1")
			a.EncCert, a.EncKey = b.EncCert, b.EncKey
			return pairMaterial(a)
		}, "differ in subject or issuer", slices.Concat(org.roots(), other.roots())},
		"clientAuth alone": {func() bundles { return pairMaterial(org.gm.NewPairFor(t, x509.ExtKeyUsageClientAuth, "127.0.0.1")) }, "need the extended key usage serverAuth", org.roots()},
		"another root":     {func() bundles { return pairMaterial(other.gm.NewPair(t, "127.0.0.1")) }, "under its own server root CAs", org.roots()},
	} {
		t.Run(name, func(t *testing.T) {
			bad := c.pair()
			bad.ServerRootCAs = c.roots
			config := SourceConfig{Role: t.Name(), Load: fixed(bad), ServerMode: ModeGM, ModeKey: "mode"}
			_, err := NewSource(config)
			require.ErrorContains(t, err, "peers would refuse the TLCP pair of "+config.Role)
			require.ErrorContains(t, err, c.say)

			material := &changing{m: good}
			config.Load = material.load
			source := newTestSource(t, config)
			so := good.options()
			so.Source = source
			srv, _ := startServer(t, so)
			dial := SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: ClientGM}
			material.set(bad, nil)
			require.ErrorContains(t, source.Reload(), c.say)
			require.NoError(t, try(t, srv.Address(), dial), "the old pair stays in use")

			next := org.node(t)
			material.set(next, nil)
			require.NoError(t, source.Reload())
			require.NoError(t, try(t, srv.Address(), dial))
		})
	}
}

func pairMaterial(p gmtlstest.Pair) bundles {
	certs, keys := p.Bundle(nil, nil)
	return bundles{Certificate: certs, Key: keys}
}

// TestOwnPairWithoutRoots: without a root the chain cannot be checked, and the rest is.
func TestOwnPairWithoutRoots(t *testing.T) {
	org := newPKI(t)
	m := pairMaterial(org.gm.NewPair(t, "127.0.0.1"))
	newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(m), ServerMode: ModeGM})
	_, err := NewSource(SourceConfig{Role: t.Name(), Load: fixed(pairMaterial(org.gm.NewPairFor(t, x509.ExtKeyUsageClientAuth, "127.0.0.1"))), ServerMode: ModeGM})
	require.ErrorContains(t, err, "incompatible key usage")
	// Dialers are judged by their peers, which may ask for no certificate; among orderers they always do.
	server := pairMaterial(org.gm.NewPairFor(t, x509.ExtKeyUsageServerAuth, "127.0.0.1"))
	newTestSource(t, SourceConfig{Role: t.Name() + " dials", Load: fixed(server), ClientMode: ClientGM})
	_, err = NewSource(SourceConfig{Role: t.Name() + " orders", Load: fixed(server), ClientMode: ClientGM, RedialForCertificate: true})
	require.ErrorContains(t, err, "incompatible key usage")
}

// TestOwnPairOfOneKey: a node starts with it, as older releases did, and says so.
func TestOwnPairOfOneKey(t *testing.T) {
	ca := newPKI(t).gm
	defer func(old *flogging.FabricLogger) { commLogger = old }(commLogger)
	logger, recorder := floggingtest.NewTestLogger(t)
	commLogger = logger
	for _, c := range []struct {
		pair gmtlstest.Pair
		said int
	}{{ca.NewPair(t, "127.0.0.1"), 0}, {ca.NewPairOfOneKey(t, "127.0.0.1"), 1}} {
		p := c.pair
		pair, err := gmtls.X509KeyPair(p.SignCert, p.SignKey, p.EncCert, p.EncKey)
		require.NoError(t, err)
		newTestSource(t, SourceConfig{Role: fmt.Sprint(t.Name(), c.said), Load: func() (Material, error) { return Material{GM: &pair}, nil }, ServerMode: ModeGM, ClientMode: ClientGM})
		require.Len(t, recorder.MessagesContaining("both certificates of the pair have the same key"), c.said)
	}
}

// TestOwnPairIsJudgedForItsUse: by what the role does, and for each of the two if it does both.
func TestOwnPairIsJudgedForItsUse(t *testing.T) {
	org := newPKI(t)
	pair := func(usage x509.ExtKeyUsage) func() (Material, error) {
		return fixed(pairMaterial(org.gm.NewPairFor(t, usage, "127.0.0.1")))
	}
	newTestSource(t, SourceConfig{Role: t.Name() + " dials", Load: pair(x509.ExtKeyUsageClientAuth), ClientMode: ClientGM, RedialForCertificate: true})
	newTestSource(t, SourceConfig{Role: t.Name() + " listens", Load: pair(x509.ExtKeyUsageServerAuth), ServerMode: ModeGM, RedialForCertificate: true})
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		_, err := NewSource(SourceConfig{Role: t.Name(), Load: pair(usage), ServerMode: ModeGM, ClientMode: ClientGM, RedialForCertificate: true})
		require.ErrorContains(t, err, "incompatible key usage")
	}
}

// TestExpiredPairStarts: a node starts with an expired pair that is good otherwise, as with an expired certificate for TLS.
func TestExpiredPairStarts(t *testing.T) {
	org := newPKI(t)
	expired := pairMaterial(org.gm.NewPairUntil(t, time.Now().Add(-time.Minute), "127.0.0.1"))
	expired.ServerRootCAs = org.roots()
	newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(expired), ServerMode: ModeGM})
}

// TestFuturePairStarts: so does one with a pair that is not valid yet, and the node says so of each certificate, with the time.
// At a reload it would take the place of a pair that peers accept, and is refused.
func TestFuturePairStarts(t *testing.T) {
	org := newPKI(t)
	from := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	future := pairMaterial(org.gm.NewPairFrom(t, from, "127.0.0.1"))
	future.ServerRootCAs = org.roots()
	a := track(t, nil, nil)
	newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(future), ServerMode: ModeGM})
	said := strings.Join(a.due(t.Name()), "\n")
	for _, use := range []string{"SM2", "SM2 encryption"} {
		require.Contains(t, said, "The server TLS "+use+" certificate is not valid before "+from.Format(time.RFC3339))
	}

	material := &changing{m: org.node(t).only(protocolTLCP)}
	source := newTestSource(t, SourceConfig{Role: t.Name() + " reloads", Load: material.load, ServerMode: ModeGM})
	material.set(future, nil)
	require.ErrorContains(t, source.Reload(), "is valid from "+from.Format(time.RFC3339))
}

// TestReloadJudgesTLS: a certificate for TLS that peers would refuse does not take the place of one that they accept.
func TestReloadJudgesTLS(t *testing.T) {
	org, other := newPKI(t), newPKI(t)
	material := &changing{m: org.node(t).only(protocolTLS)}
	source := newTestSource(t, SourceConfig{Role: t.Name(), Load: material.load, ServerMode: ModeTLS})
	bad := other.node(t).only(protocolTLS)
	bad.ServerRootCAs = org.roots()
	material.set(bad, nil)
	require.ErrorContains(t, source.Reload(), "peers would refuse the TLS certificate")
	newTestSource(t, SourceConfig{Role: t.Name() + " starts", Load: fixed(bad), ServerMode: ModeTLS}) // as upstream
	material.set(org.node(t).only(protocolTLS), nil)
	require.NoError(t, source.Reload())
	bad.ServerRootCAs = nil
	material.set(bad, nil)
	require.NoError(t, source.Reload(), "without a root nothing is known about its issuer")

	pair := &changing{m: org.node(t).only(protocolTLCP)}
	source = newTestSource(t, SourceConfig{Role: t.Name() + " without TLS", Load: pair.load, ServerMode: ModeGM})
	require.NoError(t, source.Reload(), "roots for TLS, and nothing to judge")
}

// TestReloadJudgesTLSForItsUse: by what the role does with the certificate, as TestOwnPairIsJudgedForItsUse does for a pair.
func TestReloadJudgesTLSForItsUse(t *testing.T) {
	ca := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "CA")
	issue := func(usage x509.ExtKeyUsage) bundles {
		p := ca.NewPairFor(t, usage, "127.0.0.1") // its first half is a certificate for TLS
		return bundles{Certificate: p.SignCert, Key: p.SignKey, ServerRootCAs: [][]byte{ca.CertPEM}}
	}
	server, client := issue(x509.ExtKeyUsageServerAuth), issue(x509.ExtKeyUsageClientAuth)
	for name, c := range map[string]struct {
		config    SourceConfig
		good, bad bundles
	}{
		"dials":   {SourceConfig{ClientMode: ClientTLS, RedialForCertificate: true}, client, server},
		"listens": {SourceConfig{ServerMode: ModeTLS}, server, client},
	} {
		t.Run(name, func(t *testing.T) {
			material := &changing{m: c.good}
			c.config.Role, c.config.Load = t.Name(), material.load
			source := newTestSource(t, c.config)
			require.NoError(t, source.Reload(), "the use that it is for")
			material.set(c.bad, nil)
			require.ErrorContains(t, source.Reload(), "incompatible key usage")
		})
	}
}

// TestOneFileOfSeveralKeys: where keys give the same file, the message names each of
// them, since any may be the wrong one.
func TestOneFileOfSeveralKeys(t *testing.T) {
	f := Files{}.Named("tls.signKey", "a.key", "tls.encKey", "a.key", "tls.root", "ca.crt", "tls.root", "ca.crt", "tls.none", "")
	require.Equal(t, map[string]string{"a.key": "tls.signKey, tls.encKey", "ca.crt": "tls.root"}, f.ConfigKeys)
	f = baseFiles(nil)
	f.SignKey, f.EncKey, f.ConfigKeys = "none.key", "none.key", nil
	_, err := f.Named("tls.signCert", f.SignCert, "tls.signKey", f.SignKey, "tls.encCert", f.EncCert, "tls.encKey", f.EncKey).Load()
	require.ErrorContains(t, err, "tls.signKey, tls.encKey: open none.key")
}

// TestUsageForTLS13: a role whose signing certificate has contentCommitment alone starts for TLCP, and neither starts with TLS 1.3 nor is switched
// to it.
func TestUsageForTLS13(t *testing.T) {
	material := Material{Std: &tls.Certificate{}, GM: &gmtls.Certificate{Leaf: &x509.Certificate{KeyUsage: x509.KeyUsageContentCommitment}}}
	tlcp, both := []protocol{protocolTLCP}, []protocol{protocolTLCP, protocolTLS13}
	for _, c := range []struct {
		state   sourceState
		refused bool
	}{
		{sourceState{serverMode: ModeGM, gmServer: tlcp, clientMode: ClientGM, gmClient: protocolTLCP}, false},
		{sourceState{serverMode: ModeTLS, gmServer: both, clientMode: ClientTLS, gmClient: protocolTLS13}, false},
		{sourceState{serverMode: ModeDual, gmServer: both}, true},
		{sourceState{clientMode: ClientGM, gmClient: protocolTLS13}, true},
	} {
		c.state.Material = material
		err := (&Source{role: "peer.server"}).checkModes(&c.state)
		require.Equal(t, c.refused, errors.Is(err, gmx509.ErrTLS13Usage), "%v", err)
		require.Equal(t, c.refused, err != nil, "%v", err)
	}
}
