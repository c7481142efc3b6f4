// SPDX-License-Identifier: Apache-2.0

//go:build integration && linux

// Package consortium runs the guide "from nodes to a channel with your chaincode" as printed, on hosts that are namespaces.
package consortium

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/networktest"
)

const (
	guide     = "../../docs/consortium.md"
	testLimit = 15 * time.Minute
	// electionLimit is how long orderers may take to notice that a host is silent, and to elect another leader.
	electionLimit = 3 * time.Minute
)

// block is a part of the guide: a file, or commands for hosts, perhaps while another is lost.
var block = regexp.MustCompile("(?s)<!-- (?:lost: (\\w+) )?(run|file): ([^>]*?) -->\n```\\w+\n(.*?)```")

// TestGuide: a stranger's path from an empty folder. Three organisations with names of their own get keys that never leave their hosts, make
// a channel and run chaincode; a batch size changes, an identity is revoked, an organisation joins with a peer and an orderer, a peer leaves,
// a host is lost and comes back, a backup is restored.
func TestGuide(t *testing.T) {
	if !networktest.InNamespaces(t, testLimit) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	shared := t.TempDir()
	prepare(t, shared)
	for _, command := range []string{"link add " + bridge + " type bridge", "addr add " + bridgeAddress + " dev " + bridge, "link set " + bridge + " up"} {
		ip(ctx, t, command)
	}
	hosts := map[string]*host{}
	for _, h := range []*host{
		{name: "bank1", org: "Bank", domain: "bank.example", address: "10.77.0.1"},
		{name: "port1", org: "Port", domain: "port.example", address: "10.77.0.2"},
		{name: "customs1", org: "Customs", domain: "customs.example", address: "10.77.0.3"},
		{name: "insurer1", org: "Insurer", domain: "insurer.example", address: "10.77.0.4"},
	} {
		newHost(ctx, t, shared, h)
		hosts[h.name] = h
	}
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	ran, lost := 0, map[string]bool{}
	for _, part := range block.FindAllStringSubmatch(string(text), -1) {
		away, kind, where, code := part[1], part[2], strings.Fields(part[3]), part[4]
		if kind == "file" {
			for _, h := range hosts {
				require.NoError(t, os.WriteFile(filepath.Join(h.work, where[0]), []byte(code), 0o600))
			}
			continue
		}
		if away != "" {
			hosts[away].lose(ctx, t)
			lost[away] = true
		}
		for _, name := range where {
			h := hosts[name]
			require.NotNil(t, h, "the guide names a host %s", name)
			if lost[name] {
				h.find(ctx, t)
				delete(lost, name)
			}
			around(ctx, t, h, code)
			ran++
			if t.Failed() {
				return
			}
		}
	}
	require.GreaterOrEqual(t, ran, 35, "commands of the guide")
	require.Empty(t, lost)
	requireOutcome(ctx, t, hosts)
	requireKeysStay(t, shared, hosts)
}

// asApp asks a peer as the Port's user app.
const asApp = `. /etc/fabric/admin.port.example/environment
CORE_PEER_MSPCONFIGPATH=/etc/fabric/app.port.example/msp peer chaincode query -C trade -n ledger -c '{"Args":["ReadAsset","a1"]}'`

// around runs commands of the guide, and looks at what they are to change before and after.
func around(ctx context.Context, t *testing.T, h *host, code string) {
	t.Helper()
	revokes := strings.Contains(code, "revoke.sh")
	if revokes {
		h.run(ctx, t, asApp)
	}
	began := time.Now()
	out, err := h.try(ctx, code)
	for err != nil && strings.Contains(out, "SERVICE_UNAVAILABLE") && time.Since(began) < electionLimit {
		time.Sleep(time.Second) // the guide: what orderers without a leader refuse is said again
		out, err = h.try(ctx, code)
	}
	h.require(t, code, out, err)
	t.Logf("%s, %.1f s:\n%s\n%s", h.name, time.Since(began).Seconds(), code, out)
	if revokes {
		require.Eventually(t, func() bool {
			out, err := h.try(ctx, asApp)
			return err != nil && strings.Contains(out, "access denied")
		}, time.Minute, time.Second, "the peer answers a revoked identity")
	}
}

// requireOutcome looks at the channel at the end.
func requireOutcome(ctx context.Context, t *testing.T, hosts map[string]*host) {
	t.Helper()
	out, err := hosts["bank1"].try(ctx, `. /etc/fabric/admin.bank.example/environment
peer channel fetch config last.block -c trade $ORDERER_FLAGS
consortium update set-batch --max-messages 100 --timeout 250ms --block last.block --out nothing.pb`)
	require.Error(t, err)
	require.Contains(t, out, "so already", "the batch size that was set")
	require.Eventually(t, func() bool {
		heights := map[string]bool{}
		for _, h := range hosts {
			out, err := h.try(ctx, `. /etc/fabric/admin.$DOMAIN/environment
peer channel getinfo -c trade | sed -n 's/.*\("height":[0-9]*\).*/\1/p'`)
			if err != nil {
				return false
			}
			heights[regexp.MustCompile(`"height":\d+`).FindString(out)] = true
		}
		return len(heights) == 1
	}, time.Minute, time.Second, "all peers at one height")
}

// privateKey is one in PEM.
var privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?-----END`)

// requireKeysStay: what organisations share holds no key, and no key is on two hosts.
func requireKeysStay(t *testing.T, shared string, hosts map[string]*host) {
	t.Helper()
	owners := map[string]string{}
	collect := func(owner, dir string) (count int) {
		require.NoError(t, filepath.Walk(dir, func(file string, info os.FileInfo, err error) error {
			if err != nil || !info.Mode().IsRegular() {
				return err
			}
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			for _, key := range privateKey.FindAllString(string(data), -1) {
				count++
				if other := owners[key]; other != "" && other != owner {
					t.Errorf("a key of %s is on %s too: %s", other, owner, file)
				}
				owners[key] = owner
			}
			return nil
		}))
		return count
	}
	require.Zero(t, collect("public", filepath.Join(shared, "public")), "keys in public")
	for name, h := range hosts {
		require.GreaterOrEqual(t, collect(name, filepath.Join(h.dir, "etc/fabric"))+collect(name, h.work), 10, "keys on %s", name)
	}
}
