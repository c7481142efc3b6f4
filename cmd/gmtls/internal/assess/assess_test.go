// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/inspect"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/migrate"
)

// good is evidence that meets what can be met.
func good() *Evidence {
	return &Evidence{
		nodes: []migrate.Node{{Name: "peer0", Fork: true, Roles: []migrate.NodeRole{
			{Role: "peer.server", ServerMode: "gm", TLCP: 3}, {Role: "peer.client", ClientMode: "gm", TLCP: 2}}}},
		channels: []channel{{name: "trade", hash: "SM3", consensus: "BFT", capabilities: []string{"GM_V2", "V2_0"}, members: 3}},
		settings: []*inspect.Settings{{Kind: "a peer", Strict: true, Keys: []inspect.KeyFile{{Name: "key", InDevice: true}}}},
		ledgers:  []ledger{{"/ledger", "sm4-xts-plain64"}},
	}
}

func TestWhatCanBeMetIsMet(t *testing.T) {
	r := good().Judge()
	require.Zero(t, r.Count[NotMet])
	require.Zero(t, r.Count[NotShown])
	for _, l := range r.Lines {
		for _, f := range l.Findings {
			require.NotEmpty(t, f.Detail)
			require.Equal(t, f.State == Met, f.Remedy == "", "%s: %+v", l.Clause, f)
		}
	}
}

// TestEveryGMProtocolIsCounted: connections of TLS 1.3 with GM suites are no less protected than those of TLCP.
func TestEveryGMProtocolIsCounted(t *testing.T) {
	e := good()
	e.nodes[0].Roles[0].TLS13 = 4
	f := transport(e)
	require.Equal(t, Met, f.State)
	require.Contains(t, f.Detail, "5 connections of TLCP, 4 of TLS 1.3 with GM suites and none of TLS")
}

// TestPlainListenersMustBeLookedFor: the page /tls does not show them, so that it alone shows no protection of all traffic. A fault counts all the same.
func TestPlainListenersMustBeLookedFor(t *testing.T) {
	e := good()
	e.settings = nil
	f := transport(e)
	require.Equal(t, NotShown, f.State)
	require.Contains(t, f.Remedy, "give --node")
	e.nodes[0].Roles[0].ServerMode = "dual"
	require.Equal(t, NotMet, transport(e).State)
}

// TestNothingIsMetWithoutEvidence: a report over nothing claims nothing.
func TestNothingIsMetWithoutEvidence(t *testing.T) {
	require.Zero(t, new(Evidence).Judge().Count[Met])
}

// TestOneFaultShows changes one fact at a time; the clauses that rest on it are not met any more, with the reason.
func TestOneFaultShows(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Evidence)
		clause string
		detail string
	}{
		"listens for TLS too":    {func(e *Evidence) { e.nodes[0].Roles[0].ServerMode = "dual" }, finance + " 7.8", "peer0: peer.server listens in mode dual"},
		"dials by TLS":           {func(e *Evidence) { e.nodes[0].Roles[1].ClientMode = "tls" }, finance + " 9.4 key agreement", "peer0: peer.client dials in mode tls"},
		"a connection left":      {func(e *Evidence) { e.nodes[0].Roles[0].TLS = 1 }, finance + " 9.3", "peer0: peer.server has 1 connections of TLS"},
		"no protection at all":   {func(e *Evidence) { e.settings[0].Plain = []string{"0.0.0.0:9443 (Admin.TLS.Enabled)"} }, baseline + " 8.3 b", "a peer listens without protection at 0.0.0.0:9443 (Admin.TLS.Enabled)"},
		"a plain listener":       {func(e *Evidence) { e.nodes[0].Roles[0].Role = "peer.operations" }, finance + " 7.8", "peer0 shows no listener for nodes and clients"},
		"no answer":              {func(e *Evidence) { e.nodes[0].Problem = "connection refused" }, finance + " 6.3.2", "peer0: connection refused"},
		"stock node":             {func(e *Evidence) { e.nodes[0].Fork = false }, finance + " 6.3.2", "it is not a node of this fork"},
		"events of a stock node": {func(e *Evidence) { e.nodes[0].Fork = false }, finance + " 10.7", "it is not a node of this fork"},
		"no roles":               {func(e *Evidence) { e.nodes[0].Roles = nil }, finance + " 6.3.2", "says nothing about its listeners"},
		"ECDSA CA":               {func(e *Evidence) { e.channels[0].foreign = []string{"Org1MSP: CN=ca"} }, finance + " 8.5", "CAs without an SM2 key: Org1MSP: CN=ca"},
		"many forms":             {func(e *Evidence) { e.channels[0].capabilities = []string{"V2_0"} }, finance + " 8.4", "has no capability by which an identity has one form"},
		"SHA-256":                {func(e *Evidence) { e.channels[0].hash = "SHA256" }, finance + " 7.2", "channel trade hashes blocks with SHA256"},
		"SHA-256 of values":      {func(e *Evidence) { e.channels[0].hash = "SHA256" }, finance + " 8.1 hashes", "channel trade hashes blocks with SHA256"},
		"Raft":                   {func(e *Evidence) { e.channels[0].consensus = "etcdraft" }, finance + " 11.4 agreement", "orders by etcdraft"},
		"not strict":             {func(e *Evidence) { e.settings[0].Strict = false }, finance + " 8.6", "does not ask for approved algorithms only"},
		"key in a file":          {func(e *Evidence) { e.settings[0].Keys[0].InDevice = false }, finance + " 8.7", "key is a key in a file"},
		"no key":                 {func(e *Evidence) { e.settings[0].Keys = nil }, finance + " 8.7", "leads to no key"},
		"plain disk":             {func(e *Evidence) { e.ledgers[0].cipher = "" }, finance + " 10.3", "/ledger lies on no dm-crypt mapping"},
		"AES disk":               {func(e *Evidence) { e.ledgers[0].cipher = "aes-xts-plain64" }, finance + " 7.5", "lies on a dm-crypt mapping of aes-xts-plain64"},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			test.change(e)
			for _, l := range e.Judge().Lines {
				if l.Clause != test.clause {
					continue
				}
				require.Equal(t, NotMet, l.State)
				var details string
				for _, f := range l.Findings {
					details += f.Detail + "\n"
				}
				require.Contains(t, details, test.detail)
				return
			}
			t.Fatalf("there is no clause %s", test.clause)
		})
	}
}

// TestNoKernelForSM4: what no command on this machine could mend is open, with the reason. A disk by another cipher is not met all the same.
func TestNoKernelForSM4(t *testing.T) {
	e := good()
	e.lacks = "this kernel (6.1) has no SM4"
	require.Equal(t, Met, storage(e).State)
	e.ledgers[0].cipher = ""
	f := storage(e)
	require.Equal(t, Open, f.State)
	require.Contains(t, f.Detail, "/ledger lies on no dm-crypt mapping, and this kernel (6.1) has no SM4")
	e.ledgers[0].cipher = "aes-xts-plain64"
	require.Equal(t, NotMet, storage(e).State)
}

func TestCipherOfATable(t *testing.T) {
	for table, want := range map[string]string{
		"0 200704 crypt sm4-xts-plain64 :64:logon:cryptsetup:1-d0 0 7:0 32768\n": "sm4-xts-plain64",
		"0 200704 crypt capi:xts(sm4)-plain64 00 0 7:0 0\n":                      "xts(sm4)-plain64",
		"0 200704 crypt aes-xts-plain64 00 0 7:0 0\n":                            "aes-xts-plain64",
	} {
		got, err := cipherIn(table)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, table := range []string{"", "0 1 linear 7:0 0", "0 1 crypt sm4"} {
		_, err := cipherIn(table)
		require.Error(t, err, table)
	}
	cipher, err := cipherUnder("/proc")
	require.NoError(t, err)
	require.Empty(t, cipher)
	_, err = cipherUnder(filepath.Join(t.TempDir(), "gone"))
	require.Error(t, err)
}

// TestDocumentsHaveEveryClause: docs/compliance.md and its Chinese version have a row for each clause, and no other.
func TestDocumentsHaveEveryClause(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
	for _, name := range []string{"compliance.md", "compliance.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", name))
		require.NoError(t, err)
		var got, want []string
		for _, match := range row.FindAllSubmatch(text, -1) {
			got = append(got, string(match[1]))
		}
		for _, c := range clauses {
			want = append(want, c.ID())
		}
		require.Equal(t, want, got, name)
	}
}

// TestLongBlocks: a file that never ends is no block, and is not read to its end.
func TestLongBlocks(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("there is no /dev/zero")
	}
	_, err := readChannel("/dev/zero")
	require.ErrorContains(t, err, "/dev/zero: it has more than the 67108864 bytes that are allowed")
}
