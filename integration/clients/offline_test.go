// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
	"github.com/hyperledger/fabric/internal/keydtest"
)

// TestOffline has everything of a user signed elsewhere, on a network that speaks only TLCP: the key is in a simulated SDF device
// behind gmkeyd, and the application's profile has none.
func TestOffline(t *testing.T) {
	n, ctx := networktest.Start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Orgs: 1, Peers: 1})
	dir, box := t.TempDir(), t.TempDir()
	program := filepath.Join(dir, "offline")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "../../examples/offline").CombinedOutput()
	require.NoError(t, err, "%s", out)

	msp := filepath.Join(n.Dir, "crypto", "peerOrganizations", n.Peers[0].Domain, "users", "User1@"+n.Peers[0].Domain, "msp")
	file, err := material.Parse("key", []byte(read(t, one(t, msp, "keystore"))))
	require.NoError(t, err)
	key, err := file.PrivateKey(nil)
	require.NoError(t, err)
	device := keydtest.StartSDFWith(t, key.(*sm2.PrivateKey), keydtest.NewKey(t))
	reference := write(t, filepath.Join(dir, "key.pem"), device.SignReference(t))
	profile := profileFor(t, n, msp, "    offline: true\n")

	for _, step := range []struct {
		want string
		args []string
	}{
		{"to be signed", []string{"propose", "-channel", n.Channel, "-chaincode", network.ChaincodeName, "CreateAsset", "off1", "red", "5", "Tom", "300"}},
		{`"CreateAsset" "off1" "red" "5" "Tom" "300"`, []string{"sign", "proposal"}},
		{"to be signed", []string{"endorse"}},
		{`writes "asset" "off1"`, []string{"sign", "transaction"}},
		{"to be signed", []string{"submit"}},
		{"committed?", []string{"sign", "commit"}},
		{"committed in block", []string{"status"}},
		{"to be signed", []string{"propose", "-channel", n.Channel, "-chaincode", network.ChaincodeName, "ReadAsset", "off1"}},
		{`"ReadAsset" "off1"`, []string{"sign", "proposal"}},
		{`"owner":"Tom"`, []string{"evaluate"}},
		{"to be signed", []string{"request", "-channel", n.Channel, "-chaincode", network.ChaincodeName, "events"}},
		{"events of chaincode asset", []string{"sign", "events"}},
		{"event CreateAsset in block", []string{"follow", "-count", "1", "events"}},
		{"to be signed", []string{"request", "-channel", n.Channel, "blocks"}},
		{"from block 0", []string{"sign", "blocks"}},
		{"block 0 with 1 transactions\nblock 1", []string{"follow", "-count", "2", "blocks"}},
	} {
		args := []string{step.args[0], "-dir", box}
		if step.args[0] == "sign" {
			args = append(args, "-key", reference)
		} else {
			args = append(args, "-profile", profile)
		}
		cmd := exec.CommandContext(ctx, program, append(args, step.args[1:]...)...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%v: %s", step.args, out)
		require.Contains(t, string(out), step.want, "%v", step.args)
	}
}
