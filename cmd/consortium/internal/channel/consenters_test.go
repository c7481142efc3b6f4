// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"crypto"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	raftorderer "github.com/hyperledger/fabric/orderer/consensus/etcdraft"
)

// TestConsenterProblems: a consenter that orderers would refuse is refused before anybody signs it, and by the code of the orderer too.
func TestConsenterProblems(t *testing.T) {
	s := newSample(t)
	bank, port := s.orgs[0], s.orgs[1]
	roots := x509.NewCertPool()
	tlsRoot, err := os.ReadFile(filepath.Join(bank.msp(), "tlscacerts", "tlsca.Bank.example-cert.pem"))
	require.NoError(t, err)
	addAll(roots, [][]byte{tlsRoot})
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	expired := expiredCertificate(t, bank, "o2")
	newcomer := func(file string) Change {
		return AddOrderer(Consenter{Organization: "Bank", Address: "o2.Bank.example:7050", Certificate: file})
	}
	for name, tt := range map[string]struct {
		change  Change
		want    string
		orderer bool // whether VerifyConfigMetadata, which ignores the time, refuses it
	}{
		"a CA of no ordering organisation": {newcomer(port.certificate("o1")), "TLS client certificate of consenter o2.Bank.example:7050", true},
		"another consenter's certificate":  {newcomer(bank.certificate("o1")), "have the same key", true},
		"an expired certificate":           {newcomer(expired), "expired", false},
		"another's, in replacement": {ReplaceOrderer(Consenter{Address: "o1.Bank.example:7050", Certificate: port.certificate("o1")}),
			"TLS server certificate of consenter o1.Bank.example:7050", true},
		"without its TLS CA": {SetMSP("BankMSP", port.msp()), "TLS server certificate of consenter o1.Bank.example:7050", false},
		"one that serves":    {newcomer(bank.certificate("o2")), "", false},
	} {
		c := s.read(t)
		_, err := c.Update(tt.change)
		if tt.want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, tt.want, name)
			require.ErrorContains(t, err, "orderers would refuse", name)
		}
		after := proto.Clone(c.config.ChannelGroup).(*cb.ConfigGroup)
		_, err = tt.change(after)
		require.NoError(t, err, name)
		all, err := clusterOf(after)
		require.NoError(t, err, name)
		err = raftorderer.VerifyConfigMetadata(&etcdraft.ConfigMetadata{
			Consenters: all.(*raft).metadata.Consenters, Options: all.(*raft).metadata.Options,
		}, options)
		require.Equal(t, tt.orderer, err != nil, "%s: %v", name, err)
	}

	// What was wrong before keeps nobody from another change.
	c := s.read(t)
	_, err = newcomer(expired)(c.config.ChannelGroup)
	require.NoError(t, err)
	_, err = c.Update(SetBatch(Batch{MaxMessages: 77}))
	require.NoError(t, err)
}

// expiredCertificate is an orderer's TLS certificate whose time is over, from the same CA.
func expiredCertificate(t *testing.T, o *org, orderer string) string {
	t.Helper()
	keyPEM, err := os.ReadFile(filepath.Join(o.dir, "tlsca", "priv_sk"))
	require.NoError(t, err)
	keyBlock, _ := pem.Decode(keyPEM)
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	require.NoError(t, err)
	read := func(file string) *x509.Certificate {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		block, _ := pem.Decode(data)
		cert, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		return cert
	}
	template, parent := read(o.certificate(orderer)), read(filepath.Join(o.msp(), "tlscacerts", "tlsca."+o.name+".example-cert.pem"))
	template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Minute), time.Now().Add(-time.Minute)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, template.PublicKey, key.(crypto.Signer))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "expired.crt")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return file
}
