// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/integration/chaincode/asset/contract"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/hyperledger/fabric/internal/kittest/fakenet"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/hyperledger/fabric/pkg/gmgateway"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { keydtest.Main(m) }

// site is the two machines: the profile of the one, the key of the other, the folder between them.
type site struct{ profile, key, dir string }

// newSite moves the key out of the profile of a client.
func newSite(t *testing.T, n *fakenet.Network, family gmtlstest.Family) site {
	t.Helper()
	s := site{key: filepath.Join(t.TempDir(), "key.pem"), dir: t.TempDir()}
	profile := n.Profile(t, gmgateway.ModeGM, family, false)
	identity := profile["client"].(fakenet.Values)["identity"].(fakenet.Values)
	require.NoError(t, os.WriteFile(s.key, []byte(identity["key"].(fakenet.Values)["pem"].(string)), 0o600))
	delete(identity, "key")
	identity["offline"] = true
	s.profile = fakenet.Write(t, profile)
	return s
}

func (s site) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	flags := []string{args[0], "-dir", s.dir}
	if args[0] == "sign" {
		flags = append(flags, "-key", s.key)
	} else {
		flags = append(flags, "-profile", s.profile)
	}
	err := run(context.Background(), append(flags, args[1:]...), &out)
	return out.String(), err
}

func (s site) ok(t *testing.T, want string, args ...string) {
	t.Helper()
	out, err := s.run(t, args...)
	require.NoError(t, err)
	require.Contains(t, out, want)
}

func newNetwork(t *testing.T) *fakenet.Network {
	t.Helper()
	chaincode, err := contract.NewChaincode()
	require.NoError(t, err)
	return fakenet.New(t, chaincode, fakenet.Options{Chaincode: "asset", Mode: gmgateway.ModeGM})
}

func (s site) propose(t *testing.T) {
	t.Helper()
	s.ok(t, "proposal", "propose", "-channel", fakepeer.Channel, "-chaincode", "asset", "CreateAsset", "a1", "red", "5", "Tom", "300")
}

func TestSignedElsewhere(t *testing.T) {
	n := newNetwork(t)
	for _, family := range []gmtlstest.Family{gmtlstest.SM2, gmtlstest.ECDSA} {
		t.Run(family.String(), func(t *testing.T) { newSite(t, newNetwork(t), family).transact(t) })
	}
	t.Run("a key that is not the certificate's", func(t *testing.T) {
		s := newSite(t, n, gmtlstest.SM2)
		s.key = newSite(t, n, gmtlstest.SM2).key
		s.propose(t)
		s.ok(t, "signing", "sign", "proposal")
		_, err := s.run(t, "endorse")
		require.ErrorContains(t, err, "signature")
	})
	t.Run("without a signature", func(t *testing.T) {
		s := newSite(t, n, gmtlstest.SM2)
		s.propose(t)
		_, err := s.run(t, "endorse")
		require.ErrorContains(t, err, "proposal.sig")
	})
}

func (s site) transact(t *testing.T) {
	t.Helper()
	s.propose(t)
	s.ok(t, `chaincode asset "CreateAsset" "a1" "red" "5" "Tom" "300"`, "sign", "proposal")
	s.ok(t, "a1", "endorse")
	s.ok(t, `chaincode asset "CreateAsset" "a1" "red" "5" "Tom" "300"`, "sign", "transaction")
	s.ok(t, "commit", "submit")
	s.ok(t, "committed?", "sign", "commit")
	s.ok(t, "committed in block", "status")
}

// TestKeyInDevice: the other machine has its key in a device behind gmkeyd.
func TestKeyInDevice(t *testing.T) {
	s := newSite(t, newNetwork(t), gmtlstest.SM2)
	d := keydtest.StartSDF(t)
	require.NoError(t, os.WriteFile(s.key, d.SignReference(t), 0o600))
	s.propose(t)
	s.ok(t, "signing", "sign", "proposal")
	signature, err := os.ReadFile(filepath.Join(s.dir, "proposal.sig"))
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(s.dir, "proposal"))
	require.NoError(t, err)
	message, err := messageOf(proposal, text)
	require.NoError(t, err)
	require.True(t, verify(t, d, message, signature))
}

// TestProposalAsCommit: what sign prints is what it signs.
func TestProposalAsCommit(t *testing.T) {
	s := newSite(t, newNetwork(t), gmtlstest.SM2)
	s.propose(t)
	s.ok(t, "signing", "sign", "proposal")
	text, err := os.ReadFile(filepath.Join(s.dir, "proposal"))
	require.NoError(t, err)
	message, err := messageOf(proposal, text)
	require.NoError(t, err)
	require.Error(t, describe(&bytes.Buffer{}, commit, message))
}

func verify(t *testing.T, d *keydtest.SDFDevice, message, signature []byte) bool {
	t.Helper()
	return sm2.VerifyASN1WithSM2(&d.Sign.PublicKey, nil, message, signature)
}
