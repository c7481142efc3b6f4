// SPDX-License-Identifier: Apache-2.0

//go:build integration && linux

// Package consortium runs the guide "from nodes to a channel with your chaincode" as printed, on hosts that are namespaces.
package consortium

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/networktest"
)

const (
	guide     = "../../docs/consortium.md"
	testLimit = 20 * time.Minute
	// electionLimit is how long orderers may take to notice that a host is silent, and to elect another leader.
	electionLimit = 3 * time.Minute
)

// block is a part of the guide: a file, or commands for hosts, perhaps while others are lost.
var block = regexp.MustCompile("(?s)<!-- (?:lost: ([\\w,]+) )?(run|file|compose|launched|dual): ([^>]*?) -->\n```\\w*\n(.*?)```")

// part is such a block.
type part struct {
	kind        string
	lost, hosts []string // for a file, hosts is its name
	code        string
}

// partsOf reads the guide from one heading to another; empty ones are its ends. change may change a part, or leave it out.
func partsOf(t *testing.T, from, to string, change func(*part) bool) (parts []part) {
	t.Helper()
	data, err := os.ReadFile(guide)
	require.NoError(t, err)
	text := string(data)
	if from != "" {
		_, after, found := strings.Cut(text, "\n"+from+"\n")
		require.True(t, found, "the guide has no heading %s", from)
		text = after
	}
	if to != "" {
		before, _, found := strings.Cut(text, "\n"+to+"\n")
		require.True(t, found, "the guide has no heading %s", to)
		text = before
	}
	for _, found := range block.FindAllStringSubmatch(text, -1) {
		p := part{kind: found[2], hosts: strings.Fields(found[3]), code: found[4]}
		if found[1] != "" {
			p.lost = strings.Split(found[1], ",")
		}
		if change(&p) {
			parts = append(parts, p)
		}
	}
	return parts
}

// hostsOf makes the hosts of the guide. commands stand for those that would change this machine.
func hostsOf(ctx context.Context, t *testing.T, shared string, commands map[string]string, ownNetworks bool, names ...string) map[string]*host {
	t.Helper()
	prepare(t, shared, commands)
	hosts := map[string]*host{}
	for _, h := range []*host{
		{name: "bank1", org: "Bank", domain: "bank.example", address: "10.77.0.1"},
		{name: "port1", org: "Port", domain: "port.example", address: "10.77.0.2"},
		{name: "customs1", org: "Customs", domain: "customs.example", address: "10.77.0.3"},
		{name: "insurer1", org: "Insurer", domain: "insurer.example", address: "10.77.0.4"},
	} {
		if slices.Contains(names, h.name) {
			h.ownNetwork = ownNetworks
			newHost(ctx, t, shared, h)
			hosts[h.name] = h
		}
	}
	return hosts
}

// inNamespaces are the commands of a host that is a namespace: there is no systemd. Its users are its own, as it has an /etc; in a user namespace
// of somebody who is not root there is one user.
func inNamespaces(t *testing.T) map[string]string {
	t.Helper()
	commands := map[string]string{"systemctl": systemctl}
	if os.Chown(t.TempDir(), 1, 1) != nil {
		commands["useradd"], commands["chown"] = "#!/bin/sh\n", "#!/bin/sh\n"
	}
	return commands
}

func makeBridge(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, command := range []string{"link add " + bridge + " type bridge", "addr add " + bridgeAddress + " dev " + bridge, "link set " + bridge + " up"} {
		ip(ctx, t, command)
	}
}

// TestGuide: a stranger's path from an empty folder. Three organisations with different names get keys that never leave their hosts, make
// a channel and run their chaincode, with private data after an upgrade; a batch size changes, an identity is revoked, an organisation
// joins with a peer and an orderer, a peer leaves, a host is lost and comes back, binaries are replaced, a majority of the orderers is lost,
// backups are restored.
func TestGuide(t *testing.T) {
	if !networktest.InNamespaces(t, testLimit) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	shared := t.TempDir()
	makeBridge(ctx, t)
	hosts := hostsOf(ctx, t, shared, inNamespaces(t), true, "bank1", "port1", "customs1", "insurer1")
	buildNew(ctx, t, filepath.Join(shared, "public", "new"))
	ran := follow(ctx, t, hosts, partsOf(t, "", "", func(p *part) bool { return p.kind == "run" || p.kind == "file" }))
	require.GreaterOrEqual(t, ran, 60, "commands of the guide")
	requireOutcome(ctx, t, hosts)
	requireSeparate(ctx, t, hosts)
	requireNoIdentity(ctx, t, hosts["bank1"])
	requireKeysStay(t, shared, hosts)
}

const headingUpgrade = "### Upgrade, and private data"

// openSSLOnly has the Bank get its certificates as the others do.
func openSSLOnly(p *part) bool {
	p.code = strings.Replace(p.code, "certificates: fabric-ca\n    ca: https://ca.bank.example:7054", "certificates: openssl", 1)
	if strings.Contains(p.code, "$ORG/ca/create.sh") && slices.Contains(p.hosts, "port1") {
		p.hosts = append([]string{"bank1"}, p.hosts...)
	}
	return !strings.Contains(p.code, "fabric-ca")
}

// TestDualPlan: with mode dual the same commands make a network that clients without TLCP use too, as a plan with gm alone does not.
func TestDualPlan(t *testing.T) {
	if !networktest.InNamespaces(t, testLimit) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	makeBridge(ctx, t)
	hosts := hostsOf(ctx, t, t.TempDir(), inNamespaces(t), true, "bank1", "port1", "customs1")
	ran := follow(ctx, t, hosts, partsOf(t, "", headingUpgrade, func(p *part) bool {
		p.code = strings.Replace(p.code, "channel: trade\norg", "channel: trade\nmode: dual\norg", 1)
		return openSSLOnly(p) && slices.Contains([]string{"run", "file", "dual"}, p.kind)
	}))
	require.GreaterOrEqual(t, ran, 25, "commands of the guide")
	for _, name := range []string{"orderer0.bank.example:7050", "peer0.port.example:7051", "peer0.customs.example:7051"} {
		out, _ := hosts["bank1"].try(ctx, "gmtls probe "+name) // which has no certificate to show, and ends with that
		domain := name[strings.Index(name, ".")+1 : strings.Index(name, ":")]
		for _, ca := range []string{"gm-ca.", "tls-ca."} {
			require.Contains(t, out, "CN="+ca+domain, "%s has certificates of both families", name)
		}
	}
}

// newcomer is the host of the organisation that joins. It has the plan, and what it adds to it; all else comes from the others by public.
const newcomer = "insurer1"

var newcomerFiles = []string{"consortium.yaml", "insurer.yaml"}

// follow does what the parts say, and returns how many commands it ran.
func follow(ctx context.Context, t *testing.T, hosts map[string]*host, parts []part) (ran int) {
	t.Helper()
	lost := map[string]bool{}
	for _, p := range parts {
		if p.kind == "file" {
			for _, h := range hosts {
				if h.name == newcomer && !slices.Contains(newcomerFiles, p.hosts[0]) {
					continue
				}
				file := filepath.Join(h.work, p.hosts[0])
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(p.code), 0o600))
			}
			continue
		}
		for _, away := range p.lost {
			hosts[away].lose(ctx, t)
			lost[away] = true
		}
		for _, name := range p.hosts {
			h := hosts[name]
			require.NotNil(t, h, "the guide names a host %s", name)
			if lost[name] {
				h.find(ctx, t)
				delete(lost, name)
			}
			around(ctx, t, hosts, h, p.code)
			ran++
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	require.Empty(t, lost)
	return ran
}

// newVersion is what the programs call themselves that take the place of those of the first start.
const newVersion = "v2.5.9-gm.next"

// buildNew builds the nodes' programs as a later version.
func buildNew(ctx context.Context, t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-X github.com/hyperledger/fabric/common/metadata.Version="+newVersion,
		"-o", dir+"/", "./cmd/peer", "./cmd/orderer")
	cmd.Dir, cmd.Env = "../../build/fabric", append(os.Environ(), "CGO_ENABLED=0")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// asApp asks a peer as the Port's user app.
const asApp = `. /etc/fabric/admin.port.example/environment
CORE_PEER_MSPCONFIGPATH=/etc/fabric/app.port.example/msp peer chaincode query -C trade -n ledger -c '{"Args":["Get","a1"]}'`

// around runs commands of the guide, and looks at what they are to change before and after.
func around(ctx context.Context, t *testing.T, hosts map[string]*host, h *host, code string) {
	t.Helper()
	revokes := strings.Contains(code, "revoke.sh")
	if revokes {
		h.run(ctx, t, asApp)
		h.run(ctx, t, "sh Port/ca/issue.sh port1 /etc/fabric/requests renewed") // what app has is then not the last that its CA issued
	}
	began := time.Now()
	replaces := strings.Contains(code, "public/new")
	var others func() int
	if replaces {
		others = transact(ctx, hosts, h)
	}
	script := code + "\n[ \"$PWD\" = '" + h.work + "' ] || { echo \"the commands end in $PWD, and the next ones begin elsewhere\" >&2; exit 1; }"
	out, err := h.try(ctx, script)
	for err != nil && strings.Contains(out, "SERVICE_UNAVAILABLE") && time.Since(began) < electionLimit {
		time.Sleep(time.Second) // the guide: what orderers without a leader refuse is said again
		out, err = h.try(ctx, script)
	}
	h.require(t, code, out, err)
	t.Logf("%s, %.1f s:\n%s\n%s", h.name, time.Since(began).Seconds(), code, out)
	if replaces {
		require.Positive(t, others(), "transactions of others while %s was down, or after an election", h.name)
		requireNew(ctx, t, h)
	}
	if revokes {
		require.Eventually(t, func() bool {
			out, err := h.try(ctx, asApp)
			return err != nil && strings.Contains(out, "access denied")
		}, time.Minute, time.Second, "the peer answers a revoked identity")
	}
}

// transact submits transactions at another host than busy until it is stopped, and tells then how many went through. When busy has the leader of
// the orderers, the others elect another first, as the guide says; so the first may be still to come.
func transact(ctx context.Context, hosts map[string]*host, busy *host) (stop func() int) {
	from, endorsers := hosts["bank1"], "Bank Port"
	if busy == from || busy == hosts["port1"] {
		from, endorsers = hosts["customs1"], "Customs Port"
		if busy == hosts["port1"] {
			endorsers = "Customs Bank"
		}
	}
	submit := `. /etc/fabric/admin.$DOMAIN/environment
use_endorsers ` + endorsers + `
peer chaincode invoke -C trade -n ledger --waitForEvent $ORDERER_FLAGS $ENDORSER_FLAGS -c '{"Args":["Put","meanwhile","` + busy.name + `"]}'`
	end, count := make(chan struct{}), make(chan int)
	go func() {
		for done, began := 0, time.Now(); ; {
			if _, err := from.try(ctx, submit); err == nil {
				done++
			}
			select {
			case <-end:
				if done > 0 || time.Since(began) > electionLimit {
					count <- done
					return
				}
			default:
			}
		}
	}()
	return func() int { close(end); return <-count }
}

// requireNew: the host's nodes run the program that took the old one's place.
func requireNew(ctx context.Context, t *testing.T, h *host) {
	t.Helper()
	for _, node := range []string{"peer", "orderer"} {
		program := h.run(ctx, t, "readlink /proc/$(cat /var/units/"+node+"0.$DOMAIN)/exe")
		require.Equal(t, "/usr/local/bin/"+node, strings.TrimSpace(program), h.name)
		require.Contains(t, h.run(ctx, t, node+" version"), newVersion, h.name)
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

// requireSeparate: chaincode's user reads the keys of chaincode and no others. In a user namespace of somebody who is not root there is one user.
func requireSeparate(ctx context.Context, t *testing.T, hosts map[string]*host) {
	t.Helper()
	if os.Chown(t.TempDir(), 1, 1) != nil {
		return
	}
	const as = "setpriv --reuid fabric-chaincode --regid fabric-chaincode --clear-groups "
	for _, h := range hosts {
		h.run(ctx, t, as+"test -r /etc/fabric/ledger.$DOMAIN/tls/server-sign.key")
		for _, key := range []string{"peer0.$DOMAIN/msp/keystore/*", "orderer0.$DOMAIN/tls/server-sign.key"} {
			h.run(ctx, t, "! "+as+"test -r /etc/fabric/"+key)
		}
	}
}

// requireNoIdentity: what one CA issued to chaincode for TLCP is no identity of its organisation. The same folder with the administrator's is one.
func requireNoIdentity(ctx context.Context, t *testing.T, h *host) {
	t.Helper()
	for owner, want := range map[string]string{"admin": "Tom", "ledger": "access denied|must be a client, a peer, an orderer or an admin"} {
		out, err := h.try(ctx, `. /etc/fabric/admin.bank.example/environment
cp -R /etc/fabric/admin.bank.example/msp `+owner+`-as-identity
cd `+owner+`-as-identity
rm keystore/* signcerts/*
cp /etc/fabric/`+owner+`.bank.example/tls/server-sign.key keystore/key.pem
cp /etc/fabric/`+owner+`.bank.example/tls/server-sign.crt signcerts/cert.pem
CORE_PEER_MSPCONFIGPATH=$PWD peer chaincode query -C trade -n ledger -c '{"Args":["Get","a1"]}'`)
		require.Equal(t, owner == "admin", err == nil, out)
		require.Regexp(t, want, out)
	}
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
