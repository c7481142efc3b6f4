// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/material"
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
	s := site{key: filepath.Join(t.TempDir(), "key.pem"), dir: filepath.Join(t.TempDir(), "box")}
	profile := n.Profile(t, gmgateway.ModeGM, family, false)
	identity := profile["client"].(fakenet.Values)["identity"].(fakenet.Values)
	require.NoError(t, os.WriteFile(s.key, []byte(identity["key"].(fakenet.Values)["pem"].(string)), 0o600))
	delete(identity, "key")
	identity["offline"] = true
	s.profile = fakenet.Write(t, profile)
	return s
}

// inDevice moves the key into a simulated device behind gmkeyd, and leaves its reference.
func (s site) inDevice(t *testing.T) *keydtest.SDFDevice {
	t.Helper()
	text, err := os.ReadFile(s.key)
	require.NoError(t, err)
	file, err := material.Parse("key", text)
	require.NoError(t, err)
	key, err := file.PrivateKey(nil)
	require.NoError(t, err)
	d := keydtest.StartSDFWith(t, key.(*sm2.PrivateKey), keydtest.NewKey(t))
	require.NoError(t, os.WriteFile(s.key, d.SignReference(t), 0o600))
	return d
}

func (s site) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	flags := []string{args[0], "-dir", s.dir}
	if args[0] == "sign" {
		flags = append(flags, "-key", s.key)
	} else {
		flags = append(flags, "-profile", s.profile)
	}
	err := run(ctx, append(flags, args[1:]...), &out)
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

const created = `chaincode asset "CreateAsset" "a1" "red" "5" "Tom" "300"`

func TestSignedElsewhere(t *testing.T) {
	n := newNetwork(t)
	for _, family := range []gmtlstest.Family{gmtlstest.SM2, gmtlstest.ECDSA} {
		t.Run(family.String(), func(t *testing.T) { newSite(t, newNetwork(t), family).all(t) })
	}
	t.Run("without a signature", func(t *testing.T) {
		s := newSite(t, n, gmtlstest.SM2)
		s.propose(t)
		_, err := s.run(t, "endorse")
		require.ErrorContains(t, err, "proposal.sig")
	})
	t.Run("a signature of an earlier text", func(t *testing.T) {
		s := newSite(t, n, gmtlstest.SM2)
		s.propose(t)
		s.ok(t, created, "sign", "proposal")
		s.propose(t)
		_, err := s.run(t, "endorse")
		require.ErrorContains(t, err, "proposal.sig", "it is removed")
	})
	t.Run("a text that was changed after it was signed", func(t *testing.T) {
		s := newSite(t, n, gmtlstest.SM2)
		s.propose(t)
		s.ok(t, created, "sign", "proposal")
		text, err := os.ReadFile(filepath.Join(s.dir, "proposal"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, "proposal"), bytes.Replace(text, []byte("Tom"), []byte("Tim"), 1), 0o600))
		_, err = s.run(t, "endorse")
		require.ErrorContains(t, err, "signature")
	})
}

// all has everything signed elsewhere: a transaction, a query, and both streams of events.
func (s site) all(t *testing.T) {
	t.Helper()
	s.propose(t)
	s.ok(t, created, "sign", "proposal")
	s.ok(t, "a1", "endorse")
	s.ok(t, created, "sign", "transaction")
	s.ok(t, "commit", "submit")
	s.ok(t, "committed?", "sign", "commit")
	s.ok(t, "committed in block 1", "status")

	s.ok(t, "proposal", "propose", "-channel", fakepeer.Channel, "-chaincode", "asset", "ReadAsset", "a1")
	s.ok(t, `chaincode asset "ReadAsset" "a1"`, "sign", "proposal")
	s.ok(t, `"owner":"Tom"`, "evaluate")

	s.ok(t, "events", "request", "-channel", fakepeer.Channel, "-chaincode", "asset", "events")
	s.ok(t, "events of chaincode asset", "sign", "events")
	s.ok(t, "event CreateAsset in block 1", "follow", "-count", "1", "events")
	s.ok(t, "blocks", "request", "-channel", fakepeer.Channel, "-start", "1", "blocks")
	s.ok(t, "from block 1", "sign", "blocks")
	s.ok(t, "block 1 with 1 transactions", "follow", "-count", "1", "blocks")
}

// TestKeyInDevice: the other machine has its key in a device behind gmkeyd, for everything.
func TestKeyInDevice(t *testing.T) {
	s := newSite(t, newNetwork(t), gmtlstest.SM2)
	d := s.inDevice(t)
	s.all(t)
	require.GreaterOrEqual(t, d.Folder.Get(keydtest.Signatures), uint32(6), "the device signed each text")
}

// TestOtherKey: a key signs nothing that is in the name of another.
func TestOtherKey(t *testing.T) {
	n := newNetwork(t)
	s := newSite(t, n, gmtlstest.SM2)
	s.key = newSite(t, n, gmtlstest.SM2).key
	s.propose(t)
	_, err := s.run(t, "sign", "proposal")
	require.ErrorContains(t, err, "identity of another key")
	require.NoFileExists(t, filepath.Join(s.dir, "proposal.sig"))
}

// TestRefusedRequest: a stream whose signature the peer refuses ends with an error.
func TestRefusedRequest(t *testing.T) {
	s := newSite(t, newNetwork(t), gmtlstest.SM2)
	for _, stream := range []string{"events", "blocks"} {
		s.ok(t, stream, "request", "-channel", fakepeer.Channel, "-chaincode", "asset", stream)
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, stream+".sig"), []byte("none"), 0o600))
		_, err := s.run(t, "follow", "-count", "1", stream)
		require.ErrorContains(t, err, "the peer ended the stream")
	}
}
