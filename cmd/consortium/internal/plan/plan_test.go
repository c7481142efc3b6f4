// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	yaml2 "gopkg.in/yaml.v2"
	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/msp"
)

func sample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/consortium.yaml")
	require.NoError(t, err)
	return string(text)
}

// write writes the files of an organisation of the sample.
func write(t *testing.T, organization string) string {
	t.Helper()
	p, err := Read("testdata/consortium.yaml")
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "out")
	names, err := p.Write(organization, dir)
	require.NoError(t, err)
	require.NotEmpty(t, names)
	return dir
}

// TestRefusedPlans: what would come to light on a host only is refused with its place. Each case is one replacement in a good plan.
func TestRefusedPlans(t *testing.T) {
	for name, c := range map[string]struct{ old, replacement, want string }{
		"unknown key":               {"channel: trade", "channel: trade\nchanel: x", "chanel"},
		"unknown key of a node":     {"admin: 7055", "admim: 7055", "admim"},
		"second document":           {"channel: trade", "channel: trade\n---\nchannel: x", "document"},
		"a channel's name":          {"channel: trade", "channel: Trade", `channel is "Trade"`},
		"a mode":                    {"mode: dual", "mode: tls", `mode is "tls"; it must be gm or dual`},
		"a consensus":               {"mode: dual", "mode: dual\nconsensus: pbft", `consensus is "pbft"; it must be raft or bft`},
		"too few to survive a liar": {"mode: dual", "mode: dual\nconsensus: bft", "consensus bft with 1 orderers tolerates no faulty one; it needs 4"},
		"a batch of nothing":        {"maxMessages: 100", "maxMessages: 0", "maxMessages above 0"},
		"a name that scripts break": {"name: Port", "name: Port$(id)", "organisation Port$(id): name"},
		"a domain":                  {"domain: port.example", "domain: port_example", "domain is"},
		"a domain for no CA":        {"domain: port.example", "domain: " + strings.Repeat("a", 50) + ".example", "the name tls-ca." + strings.Repeat("a", 50) + ".example has 65 characters, and a certificate takes 64"},
		"a node too long":           {"name: peer1", "name: " + strings.Repeat("p", 52), "node " + strings.Repeat("p", 52) + ".port.example: the name"},
		"a user too long":           {"users: [app]", "users: [" + strings.Repeat("u", 52) + "]", "organisation Port: the name " + strings.Repeat("u", 52)},
		"an MSP id twice":           {"mspID: CustomsMSP", "mspID: PortMSP", "the mspID PortMSP is already that of organisation Port"},
		"a domain twice":            {"domain: customs.example", "domain: port.example", "the domain port.example"},
		"a node twice":              {"name: peer1", "name: peer0", "the name peer0.port.example"},
		"a port twice":              {"launched: 7052, operations: 9443}\n          - {name: ledger", "launched: 7050, operations: 9443}\n          - {name: ledger", "the port of host port1 7050"},
		"a port out of range":       {"port: 7050", "port: 70500", "port is 70500"},
		"no port":                   {"port: 7050, ", "", "port is 0"},
		"a port of another kind":    {"{name: ledger, kind: chaincode, port: 7060", "{name: ledger, kind: chaincode, port: 7060, admin: 1", "admin is for kind orderer"},
		"a kind":                    {"kind: orderer", "kind: order", "kind is"},
		"an address":                {"address: 10.77.0.2", "address: 10.77.0.2/16", "neither an IP address nor a name"},
		"a user named as the admin": {"users: [app]", "users: [admin]", "the name admin.port.example"},
		"no orderer":                {"{name: orderer0, kind: orderer, port: 7050, admin: 7055, operations: 8443}", "{name: p, kind: peer, port: 1, launched: 2, operations: 3}", "no organisation has an orderer"},
		"a command under compose":   {`image: "fabric-gm-asset:1"`, "command: /bin/x", "image is"},
		"a relative command":        {"command: /usr/local/bin/asset", "command: asset", "command is"},
		"two families of a CA":      {"certificates: openssl\n    users", "certificates: fabric-ca\n    ca: https://ca.port.example:7054\n    users", "use openssl"},
		"a CA without TLS":          {"certificates: openssl\n    users", "certificates: fabric-ca\n    ca: http://ca.port.example:7054\n    users", "ca is"},
		"a CA that is not asked":    {"certificates: openssl\n    users", "certificates: openssl\n    ca: https://ca.port.example:7054\n    users", "ca is for"},
		"a host named as its CA":    {"name: port1", "name: ca", "host ca: this is the name of the folder with the CA's keys"},
		"an empty host":             {"- name: customs1", "-\n      - name: customs1", "a host of Customs is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			text := sample(t)
			require.Contains(t, text, c.old)
			_, err := parse([]byte(strings.Replace(text, c.old, c.replacement, 1)))
			require.ErrorContains(t, err, c.want)
		})
	}
	file := filepath.Join(t.TempDir(), "large.yaml")
	require.NoError(t, os.WriteFile(file, make([]byte, maxPlan+1), 0o600))
	_, err := Read(file)
	require.ErrorContains(t, err, "it has more than the 1048576 bytes")
}

// TestOneOrganization: what is written for one organisation is for its hosts alone, and is not written over.
func TestOneOrganization(t *testing.T) {
	dir := write(t, "Port")
	for _, name := range []string{"port1/request.sh", "port1/peer0.port.example/core.yaml", "port1/peer0.port.example.service", "port2/compose.yaml", "ca/issue.sh", "configtx.yaml"} {
		require.FileExists(t, filepath.Join(dir, name))
	}
	for _, name := range []string{"customs1", "port2/peer1.port.example.service", "port2/admin.port.example", "port1/compose.yaml"} {
		require.NoFileExists(t, filepath.Join(dir, name))
		require.NoDirExists(t, filepath.Join(dir, name))
	}
	p, err := Read("testdata/consortium.yaml")
	require.NoError(t, err)
	_, err = p.Write("Port", dir)
	require.ErrorContains(t, err, "is there already")
	_, err = p.Write("Ports", filepath.Join(dir, "x"))
	require.ErrorContains(t, err, "it has Port, Customs")
}

// value is what a node's configuration has at a key.
func value(t *testing.T, file, key string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var v any
	require.NoError(t, yaml.Unmarshal(text, &v))
	for _, step := range strings.Split(key, ".") {
		section, ok := v.(map[string]any)
		require.True(t, ok, "%s in %s", key, file)
		v = section[step]
	}
	return v
}

// TestConfiguration: a node's configuration is the sample with its own settings in their places.
func TestConfiguration(t *testing.T) {
	dir := write(t, "Port")
	peer := filepath.Join(dir, "port1/peer0.port.example/core.yaml")
	for key, want := range map[string]any{
		"peer.address": "peer0.port.example:7051", "peer.gossip.bootstrap": "peer1.port.example:7051", "peer.tls.mode": "dual", "peer.tls.clientMode": "gm",
		"peer.tls.clientAuthRequired": true, "operations.tls.clientAuthRequired": true, "operations.listenAddress": "127.0.0.1:9443", "vm.endpoint": "",
		"peer.tls.cert.file": "/etc/fabric/peer0.port.example/tls/server.crt", "peer.gossip.pullPeerNum": 3,
		"peer.tls.clientRootCAs.files": []any{"/etc/fabric/peer0.port.example/msp/tlscacerts/gm-ca.crt", "/etc/fabric/peer0.port.example/msp/tlscacerts/tls-ca.crt"},
	} {
		require.Equal(t, want, value(t, peer, key), key)
	}
	text, err := os.ReadFile(peer)
	require.NoError(t, err)
	require.Contains(t, string(text), "# As peer.tls.mode, drainGrace, handshakesPerAddress, checkRevocation and revocationLists, for the operations server.", "comments of ours")
	require.Equal(t, "0.0.0.0:9443", value(t, filepath.Join(dir, "port2/peer1.port.example/core.yaml"), "operations.listenAddress"), "a container publishes it on loopback")
	orderer := filepath.Join(dir, "port1/orderer0.port.example/orderer.yaml")
	require.Equal(t, "127.0.0.1:7055", value(t, orderer, "Admin.ListenAddress"))
	for _, section := range []string{"General.TLS", "Admin.TLS", "Operations.TLS"} {
		require.Equal(t, true, value(t, orderer, section+".ClientAuthRequired"), section)
		require.Equal(t, "/etc/fabric/orderer0.port.example/tls/server-enc.key", value(t, orderer, section+".GMEncPrivateKey"), section)
	}
}

// TestEdit: a section that the sample has no longer is an error, not a setting that nobody reads.
func TestEdit(t *testing.T) {
	text := []byte("a: # first\n  b: 1\n  c: 2\n")
	out, err := edit(text, []setting{{"a.b", "x"}, {"a.c", nil}, {"a.d", []string{"y"}}})
	require.NoError(t, err)
	require.Equal(t, "a: # first\n  b: x\n  d:\n    - \"y\"\n", string(out))
	for _, key := range []string{"b.c", "a.b.c"} {
		_, err = edit(text, []setting{{key, 1}})
		require.ErrorContains(t, err, "has no section", key)
	}
}

// TestEndorsers: the administrator's shell names peers of the organisations that are to endorse, and no others.
func TestEndorsers(t *testing.T) {
	environment := filepath.Join(write(t, "Port"), "port1/admin.port.example/environment")
	public := t.TempDir()
	flags := func(script string) (string, error) {
		return shell(t, "-euc", "public="+public+"; . "+environment+"; "+script+`; echo "$ENDORSER_FLAGS"`)
	}
	port := "--peerAddresses peer0.port.example:7051 --tlsRootCertFiles " + public + "/Port/msp/tlscacerts/gm-ca.crt"
	customs := "--peerAddresses peer0.customs.example:7051 --tlsRootCertFiles " + public + "/Customs/msp/tlscacerts/gm-ca.crt"
	for script, want := range map[string]string{":": port + " " + customs, "use_endorsers Customs": customs, "use_endorsers Customs Port": customs + " " + port} {
		out, err := flags(script)
		require.NoError(t, err, out)
		require.Equal(t, want, strings.TrimSpace(out), script)
	}
	out, err := flags("use_endorsers Ports")
	require.Error(t, err)
	require.Contains(t, out, "no organisation Ports")

	t.Chdir(t.TempDir())
	out, err = shell(t, "-euc", ". "+environment)
	require.Error(t, err)
	require.Contains(t, out, "public is not there: go to the folder that holds public/")
}

// TestOsnadmin: the administrator's shell has one address of an orderer at a time, as osnadmin takes one.
func TestOsnadmin(t *testing.T) {
	environment := filepath.Join(write(t, "Port"), "port1/admin.port.example/environment")
	for script, want := range map[string]string{":": "localhost:7055", "use_osnadmin 7155": "localhost:7155"} {
		out, err := shell(t, "-euc", "public=/; . "+environment+"; "+script+`; echo $OSNADMIN_FLAGS`)
		require.NoError(t, err, out)
		require.Equal(t, 1, strings.Count(out, "--orderer-address"))
		require.Contains(t, out, "--orderer-address "+want+" --client-cert /etc/fabric/admin.port.example/tls/server-sign.crt")
	}
}

// TestUnits has systemd read the units.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd here: ", err)
	}
	units, err := filepath.Glob(filepath.Join(write(t, "Port"), "port1/*.service"))
	require.NoError(t, err)
	require.Len(t, units, 3)
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		require.NoError(t, err)
		requireKind(t, filepath.Base(unit), string(text))
		require.NoError(t, os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/", "/bin/true ")), 0o600))
		out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Empty(t, string(out))
	}
}

// requireKind: chaincode runs as another user than nodes and sees no folder but its own, and is not sent a signal at which it would end.
func requireKind(t *testing.T, name, unit string) {
	t.Helper()
	if name != "ledger.port.example.service" {
		require.Contains(t, unit, "\nUser=fabric\n", name)
		require.Contains(t, unit, "\nExecReload=/bin/kill -HUP $MAINPID\n", name)
		return
	}
	require.Contains(t, unit, "\nUser=fabric-chaincode\n")
	require.Contains(t, unit, "\nTemporaryFileSystem=/etc/fabric:ro /var/hyperledger:ro\nBindReadOnlyPaths=/etc/fabric/ledger.port.example\n")
	require.NotContains(t, unit, "ExecReload")
}

// TestNames: names that YAML takes for numbers and truth values are the same to all who read the files.
func TestNames(t *testing.T) {
	text := strings.NewReplacer("channel: trade", "channel: on", "name: Port", "name: 'On'", "mspID: PortMSP", "mspID: NO", "mspID: CustomsMSP", "mspID: '007'",
		"{name: peer1", "{name: 'yes'", "run: compose", "run: kubernetes").Replace(sample(t))
	p, err := parse([]byte(text))
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "out")
	_, err = p.Write("On", dir)
	require.NoError(t, err)
	profile := genesisconfig.Load("on", dir)
	organizations := profile.Application.Organizations
	require.Equal(t, []string{"On", "NO", "007"}, []string{organizations[0].Name, organizations[0].ID, organizations[1].ID})
	require.Equal(t, []string{"On", "NO"}, []string{profile.Orderer.Organizations[0].Name, profile.Orderer.Organizations[0].ID})

	// Helm reads YAML 1.1.
	values, err := os.ReadFile(filepath.Join(dir, "port2/values.yaml"))
	require.NoError(t, err)
	var v struct {
		Organization any
		Peers        map[any]any
	}
	require.NoError(t, yaml2.Unmarshal(values, &v))
	require.Equal(t, "On", v.Organization)
	require.Contains(t, v.Peers, "yes")
}

// TestCompose: every container restarts, is bounded and health-checked, and publishes only its service beyond this host.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(write(t, "Port"), "port2/compose.yaml"))
	require.NoError(t, err)
	var compose struct {
		Services map[string]struct {
			Image       string
			Restart     string
			MemLimit    string `yaml:"mem_limit"`
			ReadOnly    bool   `yaml:"read_only"`
			Labels      map[string]string
			Healthcheck struct{ Test []string }
			Ports       []string
			ExtraHosts  []string `yaml:"extra_hosts"`
			Ulimits     map[string]int
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &compose))
	require.Len(t, compose.Services, 2)
	for name, s := range compose.Services {
		require.Equal(t, "unless-stopped", s.Restart, name)
		require.NotEmpty(t, s.MemLimit, name)
		require.True(t, s.ReadOnly, name)
		require.NotContains(t, s.Ulimits, "nofile", "an engine refuses more than its own limit")
		require.Equal(t, "Port", s.Labels["fabric.organization"], name)
		require.Contains(t, s.ExtraHosts, "peer0.customs.example:10.77.0.3", name)
		require.NotContains(t, strings.Join(s.ExtraHosts, " "), "peer1.port.example", "DNS knows it")
	}
	peer := compose.Services["peer1"]
	require.Equal(t, []string{"CMD", "/usr/local/bin/peer", "--health"}, peer.Healthcheck.Test)
	require.Equal(t, []string{"7051:7051", "127.0.0.1:9443:9443"}, peer.Ports)
	require.Equal(t, "fabric-gm-asset:1", compose.Services["other"].Image)
}

// TestKubernetes: the values for the chart are YAML with the configuration of each node, whose services listen for other pods.
func TestKubernetes(t *testing.T) {
	p, err := parse([]byte(strings.Replace(sample(t), "run: compose", "run: kubernetes", 1)))
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "out")
	_, err = p.Write("Port", dir)
	require.NoError(t, err)
	file := filepath.Join(dir, "port2/values.yaml")
	config, ok := value(t, file, "peers.peer1.config").(string)
	require.True(t, ok)
	text, err := os.ReadFile(filepath.Join(dir, "port2/peer1.port.example/core.yaml"))
	require.NoError(t, err)
	require.Equal(t, string(text), config)
	require.Contains(t, config, "listenAddress: 0.0.0.0:9443")
	require.Equal(t, map[string]any{}, value(t, file, "orderers"))
	files, ok := value(t, file, "files").(map[string]any)
	require.True(t, ok)
	require.Equal(t, "tls/server.key", files["server.key"], "mode dual")
	out, err := shell(t, "-n", filepath.Join(dir, "port2/secrets.sh"))
	require.NoError(t, err, out)
}

// shell runs one of the scripts, in which another folder stands for /etc/fabric.
func shell(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command("sh", args...).CombinedOutput()
	return string(out), err
}

func needOpenSSL(t *testing.T) {
	t.Helper()
	version, err := exec.Command("openssl", "version").Output()
	if err != nil || !regexp.MustCompile(`^OpenSSL [3-9]`).Match(version) {
		t.Skipf("no OpenSSL 3 here: %s %v", version, err)
	}
}

// TestScripts runs the scripts of an organisation with OpenSSL: keys on the host, names by the plan and not by the request, an MSP that a
// node loads, pairs that serve, and a revocation list.
func TestScripts(t *testing.T) {
	needOpenSSL(t)
	dir := write(t, "Port")
	root := filepath.Join(dir, "port1")
	for _, script := range []string{"request.sh", "install.sh"} {
		relocate(t, filepath.Join(root, script), root)
	}
	ca, certificates := filepath.Join(dir, "ca"), filepath.Join(dir, "certificates")
	requests := filepath.Join(root, "requests")
	for _, args := range [][]string{{ca + "/create.sh"}, {root + "/request.sh"}, {ca + "/issue.sh", "port1", requests, certificates}, {root + "/install.sh", certificates}} {
		out, err := shell(t, args...)
		require.NoError(t, err, "%v: %s", args, out)
	}

	node := filepath.Join(root, "peer0.port.example")
	identities, err := material.ReadCertificates(filepath.Join(node, "msp/signcerts/cert.crt"))
	require.NoError(t, err)
	subject := identities[0].Subject
	require.Equal(t, []string{"Port", "peer", "peer0.port.example"}, []string{subject.Organization[0], subject.OrganizationalUnit[0], subject.CommonName},
		"the CA names it, whatever the request says")
	_, err = msp.GetVerifyingMspConfig(filepath.Join(certificates, "msp"), "PortMSP", "bccsp")
	require.NoError(t, err)
	tls := filepath.Join(node, "tls/server")
	pair, err := gmtls.LoadX509KeyPair(tls+"-sign.crt", tls+"-sign.key", tls+"-enc.crt", tls+"-enc.key")
	require.NoError(t, err)
	require.NotEmpty(t, pair)
	consenters, err := material.ReadCertificates(filepath.Join(certificates, "orderer0.port.example.consenter.crt"))
	require.NoError(t, err)
	require.Len(t, consenters, 2, "one of each family")
	require.False(t, x509.IsSM2(consenters[0].PublicKey), "stock orderers read the first")
	require.NoDirExists(t, filepath.Join(root, "ledger.port.example/msp/keystore"), "chaincode has no identity")

	requireClosed(t, dir)
	requireRevocable(t, ca, requests, certificates)
	requireOwnKeys(t, root, ca, requests, certificates)
}

// requireClosed: keys are their owner's alone, and none is where certificates are.
func requireClosed(t *testing.T, dir string) {
	t.Helper()
	keys := 0
	require.NoError(t, filepath.Walk(dir, func(file string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), "PRIVATE KEY") {
			keys++
			require.Zero(t, info.Mode().Perm()&0o077, file)
			require.NotContains(t, file, "certificates")
		}
		return err
	}))
	require.Equal(t, 3+4*4+3, keys, "three CAs, four members with four keys, chaincode with three")
}

// revokedBy are the numbers on the list of a CA, in the form of openssl, and the number of the list.
func revokedBy(t *testing.T, dir, ca string) (serials []string, number int64) {
	t.Helper()
	lists, err := material.ReadLists(filepath.Join(dir, "crl-"+ca+".pem"))
	require.NoError(t, err)
	list, err := x509.ParseRevocationList(lists[0].DER)
	require.NoError(t, err)
	issuer, err := material.ReadCertificates(filepath.Join(dir, ca+".crt"))
	require.NoError(t, err)
	require.NoError(t, x509.CheckRevocationListFrom(list, issuer[0].Certificate))
	for _, entry := range list.RevokedCertificateEntries {
		serials = append(serials, fmt.Sprintf("%X", entry.SerialNumber))
	}
	return serials, list.Number.Int64()
}

// issuedFor are the numbers of what a CA issued for a name and a kind.
func issuedFor(t *testing.T, ca, name string) (serials []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(ca, "issued", name+".*.crt"))
	require.NoError(t, err)
	for _, file := range files {
		certificates, err := material.ReadCertificates(file)
		require.NoError(t, err)
		serials = append(serials, fmt.Sprintf("%X", certificates[0].SerialNumber))
	}
	return serials
}

// TestRequestsOfAnotherHost: a host gets no certificate for a name that the plan has on another one.
func TestRequestsOfAnotherHost(t *testing.T) {
	needOpenSSL(t)
	dir := write(t, "Port")
	root, certificates := filepath.Join(dir, "port2"), filepath.Join(dir, "certificates")
	requests := filepath.Join(root, "requests")
	relocate(t, root+"/request.sh", root)
	issue := func(args ...string) (string, error) {
		return shell(t, append([]string{filepath.Join(dir, "ca/issue.sh")}, args...)...)
	}
	for _, script := range []string{filepath.Join(dir, "ca/create.sh"), root + "/request.sh"} {
		out, err := shell(t, script)
		require.NoError(t, err, out)
	}
	own, err := os.ReadFile(filepath.Join(requests, "peer1.port.example.identity.csr"))
	require.NoError(t, err)
	foreign := filepath.Join(requests, "admin.port.example.identity.csr")
	require.NoError(t, os.WriteFile(foreign, own, 0o600))
	for want, args := range map[string][]string{
		foreign + " is for no name on port2":        {"port2", requests, certificates},
		"Port has no host customs1 in the plan":     {"customs1", requests, certificates},
		"usage: issue.sh HOST":                      {requests, certificates},
		"there is no request in " + t.TempDir()[:4]: {"port2", t.TempDir(), certificates},
	} {
		out, err := issue(args...)
		require.Error(t, err)
		require.Contains(t, out, want)
		require.NoFileExists(t, filepath.Join(certificates, "admin.port.example.identity.crt"))
		require.NoDirExists(t, filepath.Join(dir, "ca/issued"))
	}
	require.NoError(t, os.Remove(foreign))
	out, err := issue("port2", requests, certificates)
	require.NoError(t, err, out)
	require.FileExists(t, filepath.Join(certificates, "peer1.port.example.identity.crt"))
}

// requireRevocable: a revocation is on the list of the CA that issued the certificate, with all that it issued for the same name or key.
func requireRevocable(t *testing.T, ca, requests, certificates string) {
	t.Helper()
	revoke := func(want string, args ...string) {
		t.Helper()
		out, err := shell(t, append([]string{ca + "/revoke.sh"}, args...)...)
		require.Equal(t, want != "", err != nil, out)
		require.Contains(t, out, want)
	}
	folder := filepath.Join(t.TempDir(), "a folder")
	early := filepath.Join(folder, "early.crt")
	require.NoError(t, os.CopyFS(folder, os.DirFS(certificates)))
	require.NoError(t, os.Rename(filepath.Join(folder, "peer0.port.example.sign.crt"), early))
	out, err := shell(t, ca+"/issue.sh", "port1", requests, certificates)
	require.NoError(t, err, out)

	revoke("", "app.port.example")
	var last int64
	for _, c := range []struct{ ca, kind string }{{"ca", "identity"}, {"gm-ca", "sign"}, {"gm-ca", "enc"}, {"tls-ca", "tls"}} {
		want := issuedFor(t, ca, "app.port.example."+c.kind)
		require.Len(t, want, 2, "one of each run of issue.sh")
		revoked, number := revokedBy(t, ca, c.ca)
		require.Subset(t, revoked, want, c.kind)
		last = number
	}
	identities, _ := revokedBy(t, ca, "ca")
	require.Len(t, identities, 2, "the list of identities has no number of another CA")

	// What is revoked already keeps nothing from the rest, and paths may have spaces.
	revoke("", "app.port.example", early)
	pairs, number := revokedBy(t, ca, "gm-ca")
	require.ElementsMatch(t, append(issuedFor(t, ca, "app.port.example.[es]*"), issuedFor(t, ca, "peer0.port.example.sign")...), pairs)
	require.Greater(t, number, last)
	again, _ := revokedBy(t, ca, "ca")
	require.ElementsMatch(t, identities, again)

	// What its CAs did not issue is refused before anything changes.
	stranger := filepath.Join(folder, "stranger.crt")
	require.NoError(t, exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", os.DevNull, "-subj", "/CN=ca.port.example", "-out", stranger).Run())
	other := filepath.Join(folder, "ledger.port.example.sign.crt")
	revoke(stranger+" was not issued by a CA in "+ca, other, stranger)
	revoke("is not one certificate in PEM", other, filepath.Join(folder, "orderer0.port.example.consenter.crt"))
	revoke("ledgers is no file", other, "ledgers")
	unchanged, same := revokedBy(t, ca, "gm-ca")
	require.Equal(t, pairs, unchanged)
	require.Equal(t, number, same)

	revoke("")
	unchanged, later := revokedBy(t, ca, "gm-ca")
	require.ElementsMatch(t, pairs, unchanged)
	require.Greater(t, later, number)
}

// requireOwnKeys: a certificate of another key is not installed, and a request that its key has not signed not answered.
func requireOwnKeys(t *testing.T, root, ca, requests, certificates string) {
	t.Helper()
	other, err := os.ReadFile(filepath.Join(certificates, "orderer0.port.example.sign.crt"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(certificates, "peer0.port.example.sign.crt"), other, 0o600))
	out, err := shell(t, root+"/install.sh", certificates)
	require.Error(t, err)
	require.Contains(t, out, "is not of the key")

	request := filepath.Join(requests, "peer0.port.example.sign.csr")
	text, err := os.ReadFile(request)
	require.NoError(t, err)
	der, err := exec.Command("openssl", "req", "-in", request, "-outform", "DER").Output()
	require.NoError(t, err)
	der[len(der)-1] ^= 1
	convert := exec.Command("openssl", "req", "-inform", "DER", "-out", request)
	convert.Stdin = strings.NewReader(string(der))
	require.NoError(t, convert.Run())
	changed, err := os.ReadFile(request)
	require.NoError(t, err)
	require.NotEqual(t, text, changed)
	out, err = shell(t, ca+"/issue.sh", "port1", requests, certificates)
	require.Error(t, err)
	require.Contains(t, out, "did not match the contents")
	require.Contains(t, out, "no certificate for "+request)
}
