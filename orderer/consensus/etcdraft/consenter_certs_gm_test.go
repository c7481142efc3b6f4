// SPDX-License-Identifier: Apache-2.0

package etcdraft

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	etcdraftproto "github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/hyperledger/fabric/bccsp/sw"
	consenters "github.com/hyperledger/fabric/common/consenter"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// certificates of one network: a standard and an SM2 TLS CA.
type authorities struct {
	std tlsgen.CA
	gm  *gmtlstest.CA
}

func newAuthorities(t *testing.T) authorities {
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	return authorities{std: std, gm: gmtlstest.NewCA(t)}
}

func (a authorities) stdCert(t *testing.T) []byte {
	pair, err := a.std.NewServerCertKeyPair("localhost")
	require.NoError(t, err)
	return pair.Cert
}

func (a authorities) verifyOptions(t *testing.T) x509.VerifyOptions {
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(a.std.CertBytes()))
	require.True(t, roots.AppendCertsFromPEM(a.gm.CertPEM))
	return x509.VerifyOptions{
		Roots:         roots,
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
}

func bundle(parts ...[]byte) (out []byte) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func consenter(field []byte) *etcdraftproto.Consenter {
	return &etcdraftproto.Consenter{Host: "orderer", Port: 7050, ClientTlsCert: field, ServerTlsCert: field}
}

func TestIdentityCertificates(t *testing.T) {
	a := newAuthorities(t)
	std, std2, pair := a.stdCert(t), a.stdCert(t), a.gm.NewPair(t, "localhost")
	stdCA := a.std.CertBytes()
	for name, tc := range map[string]struct {
		field []byte
		want  [][]byte
	}{
		"standard":                          {std, [][]byte{std}},
		"SM2 signing":                       {pair.SignCert, [][]byte{pair.SignCert}},
		"standard and SM2":                  {bundle(std, pair.SignCert), [][]byte{std, pair.SignCert}},
		"whole bundle of a node":            {bundle(std, stdCA, pair.SignCert, pair.EncCert), [][]byte{std, pair.SignCert}},
		"GM only bundle":                    {bundle(pair.SignCert, pair.EncCert), [][]byte{pair.SignCert}},
		"GM first":                          {bundle(pair.SignCert, pair.EncCert, std), [][]byte{pair.SignCert, std}},
		"chain names nobody":                {bundle(std, stdCA, a.gm.CertPEM), [][]byte{std}},
		"SM2 first, ECDSA CA behind":        {bundle(pair.SignCert, stdCA), [][]byte{pair.SignCert}},
		"second of the same family ignored": {bundle(std, std2), [][]byte{std}},
		"encryption certificate ignored":    {bundle(std, pair.EncCert), [][]byte{std}},
	} {
		var got [][]byte
		for _, b := range consenters.IdentityCertificates(tc.field) {
			got = append(got, pem.EncodeToMemory(b))
		}
		require.Equal(t, tc.want, got, name)
	}
	require.Nil(t, consenters.IdentityCertificates([]byte("no PEM")))
}

// A field with two certificates must hold two good ones: whoever holds the key of either speaks for the consenter.
func TestEveryCertificateOfAConsenterIsVerified(t *testing.T) {
	a, foreign := newAuthorities(t), newAuthorities(t)
	opts := a.verifyOptions(t)
	pair := a.gm.NewPair(t, "localhost")
	expired := a.gm.NewPairUntil(t, time.Now().Add(-time.Hour), "localhost")

	good := map[string][]byte{
		"standard":       a.stdCert(t),
		"SM2":            pair.SignCert,
		"both":           bundle(a.stdCert(t), pair.SignCert),
		"whole bundle":   bundle(a.stdCert(t), pair.SignCert, pair.EncCert),
		"GM bundle":      bundle(pair.SignCert, pair.EncCert),
		"with CA behind": bundle(a.stdCert(t), a.std.CertBytes(), pair.SignCert),
	}
	for name, field := range good {
		require.NoError(t, validateConsenterTLSCerts(consenter(field), opts, false), name)
	}

	bad := map[string]struct {
		field []byte
		want  string
	}{
		"foreign standard":          {foreign.stdCert(t), "verifying tls client cert"},
		"foreign SM2":               {foreign.gm.NewPair(t).SignCert, "verifying tls client cert"},
		"foreign SM2 behind good":   {bundle(a.stdCert(t), foreign.gm.NewPair(t).SignCert), "verifying tls client cert"},
		"foreign standard behind":   {bundle(pair.SignCert, foreign.stdCert(t)), "verifying tls client cert"},
		"expired SM2":               {expired.SignCert, "verifying tls client cert"},
		"expired SM2 behind good":   {bundle(a.stdCert(t), expired.SignCert), "verifying tls client cert"},
		"encryption certificate":    {pair.EncCert, "put the SM2 signing certificate into the field"},
		"encryption before signing": {bundle(pair.EncCert, pair.SignCert), "put the SM2 signing certificate into the field"},
		"no PEM":                    {[]byte("text"), "no PEM data"},
	}
	for name, tc := range bad {
		require.ErrorContains(t, validateConsenterTLSCerts(consenter(tc.field), opts, false), tc.want, name)
	}

	// Expiration alone is forgiven when asked, as upstream does for consenters that are already in the channel.
	require.NoError(t, validateConsenterTLSCerts(consenter(expired.SignCert), opts, true))
	require.NoError(t, validateConsenterTLSCerts(consenter(bundle(a.stdCert(t), expired.SignCert)), opts, true))

	// The server field is verified as well as the client's.
	c := consenter(pair.SignCert)
	c.ServerTlsCert = bundle(a.stdCert(t), foreign.gm.NewPair(t).SignCert)
	require.ErrorContains(t, validateConsenterTLSCerts(c, opts, false), "verifying tls server cert")
}

func TestSharedSecondCertificateIsADuplicate(t *testing.T) {
	a := newAuthorities(t)
	shared := a.gm.NewPair(t).SignCert
	metadata := func(fields ...[]byte) *etcdraftproto.ConfigMetadata {
		md := &etcdraftproto.ConfigMetadata{}
		for _, f := range fields {
			md.Consenters = append(md.Consenters, consenter(f))
		}
		return md
	}
	require.NoError(t, MetadataHasDuplication(metadata(
		bundle(a.stdCert(t), a.gm.NewPair(t).SignCert), bundle(a.stdCert(t), a.gm.NewPair(t).SignCert))))
	require.ErrorContains(t, MetadataHasDuplication(metadata(
		bundle(a.stdCert(t), shared), bundle(a.stdCert(t), shared))), "share the TLS certificate")
	require.ErrorContains(t, MetadataHasDuplication(metadata(
		bundle(a.stdCert(t), shared), shared)), "share the TLS certificate")
	// One CA behind each is not a duplicate.
	require.NoError(t, MetadataHasDuplication(metadata(
		bundle(a.stdCert(t), a.std.CertBytes()), bundle(a.stdCert(t), a.std.CertBytes()))))
}

// A node finds itself among the consenters by either of its certificates, and never by a CA certificate that it has in common
// with another node.
func TestDetectSelfIDWithTwoCertificates(t *testing.T) {
	a := newAuthorities(t)
	myStd, mine := a.stdCert(t), a.gm.NewPair(t)
	mineAll := bundle(myStd, a.std.CertBytes(), mine.SignCert, mine.EncCert)
	other := bundle(a.stdCert(t), a.std.CertBytes(), a.gm.NewPair(t).SignCert)

	for name, tc := range map[string]struct {
		cert, field []byte
		found       bool
	}{
		"dual node, standard field":      {mineAll, myStd, true},
		"dual node, SM2 field":           {mineAll, mine.SignCert, true},
		"dual node, both":                {mineAll, bundle(myStd, mine.SignCert), true},
		"GM node, both":                  {bundle(mine.SignCert, mine.EncCert), bundle(myStd, mine.SignCert), true},
		"TLS node, both":                 {myStd, bundle(myStd, mine.SignCert), true},
		"TLS node, GM field":             {myStd, mine.SignCert, false},
		"dual node, other's field":       {mineAll, other, false},
		"dual node, encryption cert":     {mineAll, bundle(a.stdCert(t), mine.EncCert), false},
		"rotated standard, SM2 retained": {bundle(a.stdCert(t), mine.SignCert), bundle(myStd, mine.SignCert), true},
	} {
		c := &Consenter{Cert: tc.cert, Logger: flogging.MustGetLogger("test")}
		id, err := c.detectSelfID(map[uint64]*etcdraftproto.Consenter{1: consenter(other), 2: consenter(tc.field)})
		if tc.found {
			require.NoError(t, err, name)
			require.Equal(t, uint64(2), id, name)
		} else {
			require.Equal(t, cluster.ErrNotInChannel, err, name)
		}
	}
}

// blockWithConsenters is upstream's genesis block with other consenters in it.
func blockWithConsenters(t *testing.T, consenters ...*etcdraftproto.Consenter) *common.Block {
	raw, err := os.ReadFile(filepath.Join("testdata", "etcdraftgenesis.block"))
	require.NoError(t, err)
	block, err := protoutil.UnmarshalBlock(raw)
	require.NoError(t, err)
	env, err := protoutil.ExtractEnvelope(block, 0)
	require.NoError(t, err)
	payload, err := protoutil.UnmarshalPayload(env.Payload)
	require.NoError(t, err)
	config := &common.ConfigEnvelope{}
	require.NoError(t, proto.Unmarshal(payload.Data, config))

	value := config.Config.ChannelGroup.Groups["Orderer"].Values["ConsensusType"]
	consensus := &orderer.ConsensusType{}
	require.NoError(t, proto.Unmarshal(value.Value, consensus))
	metadata := &etcdraftproto.ConfigMetadata{}
	require.NoError(t, proto.Unmarshal(consensus.Metadata, metadata))
	metadata.Consenters = consenters
	consensus.Metadata = protoutil.MarshalOrPanic(metadata)
	value.Value = protoutil.MarshalOrPanic(consensus)
	payload.Data = protoutil.MarshalOrPanic(config)
	env.Payload = protoutil.MarshalOrPanic(payload)
	block.Data.Data[0] = protoutil.MarshalOrPanic(env)
	return block
}

// Onboarding, eviction checks and replication ask whether the node is in a channel, with the bundle that it started with; after
// a reload the certificates that it presents then are what counts.
func TestIsConsenterOfChannelWithTwoCertificates(t *testing.T) {
	a := newAuthorities(t)
	myStd, mine := a.stdCert(t), a.gm.NewPair(t)
	started := bundle(myStd, a.std.CertBytes(), mine.SignCert, mine.EncCert)
	other := consenter(bundle(a.stdCert(t), a.std.CertBytes(), a.gm.NewPair(t).SignCert))
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	ask := func(started []byte, fields ...*etcdraftproto.Consenter) error {
		c := &ConsenterCertificate{ConsenterCertificate: started, CryptoProvider: provider, Logger: flogging.MustGetLogger("test")}
		return c.IsConsenterOfChannel(blockWithConsenters(t, fields...))
	}
	for _, field := range [][]byte{myStd, mine.SignCert, bundle(myStd, mine.SignCert), bundle(mine.SignCert, myStd)} {
		require.NoError(t, ask(started, other, consenter(field)))
	}
	require.NoError(t, ask(bundle(mine.SignCert, mine.EncCert), other, consenter(bundle(myStd, mine.SignCert))))
	require.Equal(t, cluster.ErrNotInChannel, ask(started, other))
	require.ErrorContains(t, ask(started, consenter([]byte("text"))), "not a valid PEM")

	// Only one of a consenter's two fields needs to fit, as upstream.
	half := consenter(a.stdCert(t))
	half.ServerTlsCert = bundle(a.stdCert(t), mine.SignCert)
	require.NoError(t, ask(started, half))
	half.ServerTlsCert, half.ClientTlsCert = half.ClientTlsCert, half.ServerTlsCert
	require.NoError(t, ask(started, half))

	// Reloaded: the standard and the SM2 certificate of before are ours no more.
	pair, err := a.std.NewServerCertKeyPair("localhost")
	require.NoError(t, err)
	certs, keys := mine.Bundle(pair.Cert, pair.Key)
	fileCerts, fileKeys := certs, keys
	_, err = comm.NewSource(comm.SourceConfig{
		Role:       "test.etcdraft",
		Load:       func() (comm.Material, error) { return comm.ParseMaterial(fileCerts, fileKeys, nil, nil) },
		ServerMode: comm.ModeDual,
	})
	require.NoError(t, err)
	require.NoError(t, ask(certs, consenter(pair.Cert)))
	renewed, err := a.std.NewServerCertKeyPair("localhost")
	require.NoError(t, err)
	renewedGM := a.gm.NewPair(t)
	fileCerts, fileKeys = renewedGM.Bundle(renewed.Cert, renewed.Key)
	require.NoError(t, comm.Reload("test.etcdraft"))
	require.Equal(t, cluster.ErrNotInChannel, ask(certs, consenter(bundle(pair.Cert, mine.SignCert))))
	require.NoError(t, ask(certs, consenter(renewed.Cert)))
	require.NoError(t, ask(certs, consenter(renewedGM.SignCert)))
	c := &Consenter{Cert: certs, Logger: flogging.MustGetLogger("test")}
	id, err := c.detectSelfID(map[uint64]*etcdraftproto.Consenter{4: consenter(renewedGM.SignCert)})
	require.NoError(t, err)
	require.Equal(t, uint64(4), id)
}

// Adding the SM2 certificate to a consenter's field is upstream's certificate rotation: one consenter a config block.
func TestAddingASecondCertificateIsARotation(t *testing.T) {
	a := newAuthorities(t)
	stds := [][]byte{a.stdCert(t), a.stdCert(t), a.stdCert(t)}
	old := map[uint64]*etcdraftproto.Consenter{}
	var next []*etcdraftproto.Consenter
	for i, std := range stds {
		old[uint64(i+1)] = consenter(std)
		next = append(next, consenter(std))
	}
	next[1] = consenter(bundle(stds[1], a.gm.NewPair(t).SignCert))
	metadata := &etcdraftproto.BlockMetadata{ConsenterIds: []uint64{1, 2, 3}, NextConsenterId: 4}
	changes, err := ComputeMembershipChanges(metadata, old, next)
	require.NoError(t, err)
	require.True(t, changes.Rotated())
	require.Equal(t, uint64(2), changes.RotatedNode)
	require.Equal(t, []uint64{1, 2, 3}, changes.NewBlockMetadata.ConsenterIds)

	next[2] = consenter(bundle(stds[2], a.gm.NewPair(t).SignCert))
	_, err = ComputeMembershipChanges(metadata, old, next)
	require.ErrorContains(t, err, "more than one consenter at a time")
}
