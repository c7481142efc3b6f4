// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// pair is a collection of the first two organisations. The third has only hashes.
const pair = "pair"

// openssl prints the hash of text.
func openssl(ctx context.Context, t *testing.T, function, text string) string {
	t.Helper()
	command := exec.CommandContext(ctx, "openssl", "dgst", "-"+function, "-r")
	command.Stdin = strings.NewReader(text)
	out, err := command.Output()
	require.NoError(t, err)
	hash, _, _ := strings.Cut(string(out), " ")
	return hash
}

func details(appraisal int) string {
	return fmt.Sprintf(`{"appraisal":%d,"remark":"sold as seen","salt":"0123456789abcdef"}`, appraisal)
}

// privateData uses collections of a channel.
type privateData struct {
	ctx       context.Context
	t         *testing.T
	n         *network.Network
	contracts map[string]*client.Contract
}

// at is the contract at the organisation's peer.
func (p privateData) at(org network.Org) *client.Contract {
	key := p.n.Channel + " " + org.Name
	if p.contracts[key] == nil {
		p.contracts[key] = contract(p.t, p.n, org.PeersOf()[0])
	}
	return p.contracts[key]
}

func (p privateData) submit(transaction, collection, id string, transient map[string][]byte) {
	p.t.Helper()
	_, err := p.at(p.n.Peers[0]).SubmitWithContext(p.ctx, transaction, client.WithArguments(collection, id),
		client.WithTransient(transient), client.WithEndorsingOrganizations(p.n.Peers[0].MSPID))
	require.NoError(p.t, err)
}

func (p privateData) put(collection, id string, appraisal int) {
	p.t.Helper()
	p.submit("PutPrivateDetails", collection, id, map[string][]byte{"details": []byte(details(appraisal))})
}

func (p privateData) ask(org network.Org, transaction, collection, id string) ([]byte, error) {
	return p.at(org).EvaluateWithContext(p.ctx, transaction, client.WithArguments(collection, id),
		client.WithEndorsingOrganizations(org.MSPID))
}

// awaitDetails waits until the organisation's peer has the details. It may get them some time after their block.
func (p privateData) awaitDetails(org network.Org, collection, id string, appraisal int) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		out, err := p.ask(org, "ReadPrivateDetails", collection, id)
		return err == nil && jsonEqual(out, details(appraisal))
	}, testLimit, 200*time.Millisecond, "%s has no details of %s", org.Name, id)
}

// requireHash compares what a peer that is no member says of the details with what openssl computes.
func (p privateData) requireHash(org network.Org, collection, id, function string, appraisal int) {
	p.t.Helper()
	awaitHeights(p.ctx, p.t, p.n)
	out, err := p.ask(org, "GetPrivateDetailsHash", collection, id)
	require.NoError(p.t, err)
	require.Equal(p.t, openssl(p.ctx, p.t, function, details(appraisal)), string(out))
}

// readiness is what an organisation's peer knows of the approvals for the next definition.
func readiness(ctx context.Context, t *testing.T, n *network.Network, org network.Org, version string) map[string]bool {
	t.Helper()
	out, err := n.PeerCommand(ctx, org.PeersOf()[0], "lifecycle", "chaincode", "checkcommitreadiness", "--channelID", n.Channel,
		"--name", network.ChaincodeName, "--version", version, "--sequence", "3", "--output", "json",
		"--collections-config", filepath.Join(n.Dir, "config", "collections.json"))
	require.NoError(t, err)
	var answer struct {
		Approvals map[string]bool `json:"approvals"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &answer), out)
	return answer.Approvals
}

// TestPrivateDataOverSM3 uses private data in a channel that hashes with SM3 and in one that does not, on the same nodes. Peers that are
// no members, were stopped, or join from a snapshot come to the same state, and hashes are those that openssl computes.
func TestPrivateDataOverSM3(t *testing.T) {
	n, ctx := start(t, network.Options{Hash: network.HashSM3, Orgs: 3, Orderers: 1, Peers: 1})
	org1, org2, org3 := n.Peers[0], n.Peers[1], n.Peers[2]
	sm3 := n.Channel
	require.NoError(t, n.AddChannel(ctx, "older", network.HashSHA256))
	data := privateData{ctx, t, n, map[string]*client.Contract{}}

	n.Channel = "older"
	own := "_implicit_org_" + org1.MSPID
	submit(ctx, t, data.at(org1), "CreateAsset", "lot", "grey", "1", "berta", "1")
	data.put(own, "lot", 1)
	data.requireHash(org3, own, "lot", "sha256", 1)
	n.Channel = sm3

	// Another definition, which all organisations approve, with a collection of two of them.
	policy := fmt.Sprintf("OR('%s.member', '%s.member')", org1.MSPID, org2.MSPID)
	file := filepath.Join(n.Dir, "config", "collections.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var collections []map[string]any
	require.NoError(t, json.Unmarshal(text, &collections))
	collections = append(collections, map[string]any{
		"name": pair, "policy": policy, "requiredPeerCount": 0, "maxPeerCount": 2, "blockToLive": 0, "memberOnlyRead": true,
		"memberOnlyWrite": true, "endorsementPolicy": map[string]string{"signaturePolicy": policy},
	})
	text, err = json.Marshal(collections)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o644))
	require.NoError(t, n.UpgradeChaincode(ctx, "2.0", 2))
	submit(ctx, t, data.at(org1), "CreateAsset", "lot", "grey", "1", "berta", "1")
	data.put(own, "lot", 1)
	data.put(pair, "lot", 2)
	data.requireHash(org2, own, "lot", "sm3", 1)
	data.requireHash(org3, pair, "lot", "sm3", 2)
	data.awaitDetails(org1, pair, "lot", 2)
	data.awaitDetails(org2, pair, "lot", 2)
	_, err = data.ask(org3, "ReadPrivateDetails", pair, "lot")
	require.Error(t, err)

	// An approval is known to other organisations by its hashes.
	orderer := n.Nodes(network.Orderer)[0]
	approve := []string{
		"lifecycle", "chaincode", "approveformyorg", "--channelID", n.Channel, "--name", network.ChaincodeName, "--version", "3.0", "--sequence", "3",
		"--collections-config", file,
	}
	_, err = n.PeerCommand(ctx, org1.PeersOf()[0], append(approve, n.OrdererFlags(orderer, org1, "Admin")...)...)
	require.NoError(t, err)
	awaitHeights(ctx, t, n)
	for _, org := range n.Peers {
		require.Equal(t, map[string]bool{org1.MSPID: true, org2.MSPID: false, org3.MSPID: false}, readiness(ctx, t, n, org, "3.0"), org.Name)
		require.Equal(t, map[string]bool{org1.MSPID: false, org2.MSPID: false, org3.MSPID: false}, readiness(ctx, t, n, org, "3.1"), org.Name)
	}

	// A member's peer that was down gets what it missed.
	second := org2.PeersOf()[0]
	require.NoError(t, n.Stop(ctx, second.Name))
	data.put(pair, "lot", 3)
	require.NoError(t, n.Start(second.Name))
	require.NoError(t, n.AwaitHealthy(ctx, second))
	data.awaitDetails(org2, pair, "lot", 3)
	data.requireHash(org3, pair, "lot", "sm3", 3)

	// So does one that joins from a snapshot, and takes part afterwards.
	snapshot := takeSnapshot(ctx, t, n, org1.PeersOf()[0])
	requireSnapshotFiles(ctx, t, snapshot)
	require.NoError(t, n.Stop(ctx, second.Name))
	require.NoError(t, n.WipeData(second))
	require.NoError(t, n.Start(second.Name))
	require.NoError(t, n.AwaitHealthy(ctx, second))
	joinBySnapshot(ctx, t, n, second, snapshot)
	installChaincode(ctx, t, n, second, "2.0")
	data.awaitDetails(org2, pair, "lot", 3)
	data.put(pair, "lot", 4)
	data.awaitDetails(org2, pair, "lot", 4)

	// What is purged is gone for all, and cannot be read from the blocks' private data any more.
	data.submit("PurgePrivateDetails", pair, "lot", nil)
	awaitHeights(ctx, t, n)
	for _, org := range n.Peers {
		_, err = data.ask(org, "GetPrivateDetailsHash", pair, "lot")
		require.ErrorContains(t, err, "no private details", org.Name)
	}
	_, err = data.ask(org2, "ReadPrivateDetails", pair, "lot")
	require.Error(t, err)
	requireSameChain(ctx, t, n)
	requireHashes(ctx, t, n, org3.PeersOf()[0], "SM3")
}

// requireSnapshotFiles compares the files of a snapshot with the SM3 hashes that it has of them.
func requireSnapshotFiles(ctx context.Context, t *testing.T, folder string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(folder, "_snapshot_signable_metadata.json"))
	require.NoError(t, err)
	var metadata struct {
		Hashes map[string]string `json:"snapshot_files_raw_hashes"`
	}
	require.NoError(t, json.Unmarshal(raw, &metadata))
	require.NotEmpty(t, metadata.Hashes)
	for name, hash := range metadata.Hashes {
		content, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Equal(t, openssl(ctx, t, "sm3", string(content)), hash, name)
	}
}
