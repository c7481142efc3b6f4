// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bytes"
	"crypto"
	"crypto/tls"
	stdx509 "crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// pack is proto.Marshal for what can be marshalled.
func pack(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return data
}

// authorities are one organisation's CAs.
type authorities struct{ tls, gmTLS, id, gmID *pki.CA }

func newCA(t testing.TB, name string, gm bool) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(name, gm, time.Now().Add(-time.Hour), time.Now().AddDate(9, 0, 0))
	require.NoError(t, err)
	return ca
}

func issue(t testing.TB, ca *pki.CA, usage stdx509.KeyUsage, days int) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	cert, key, err := ca.Issue(pki.Leaf("node", []string{"127.0.0.1"}, usage, time.Now().Add(-time.Hour), time.Now().AddDate(0, 0, days)))
	require.NoError(t, err)
	return cert, key
}

// fakeNode stands for an orderer or peer: an operations service over TLS, and a service that speaks TLCP.
type fakeNode struct {
	name, org  string
	operations *httptest.Server
	address    string
	tlsCert    *x509.Certificate // as a consenter
	versions   []uint16          // by which it serves; nil: TLCP
	sign       *x509.Certificate

	mu      sync.Mutex // guards what follows
	version string
	roles   []tlsstatus.Role // nil: a stock node
	sick    string
	behind  time.Duration // of its clock
	metrics string
}

func (n *fakeNode) set(change func(*fakeNode)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

func (n *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w.Header().Set("Date", time.Now().Add(-n.behind).UTC().Format(http.TimeFormat))
	answer := func(value any) { _ = json.NewEncoder(w).Encode(value) }
	switch {
	case r.URL.Path == "/version":
		answer(map[string]string{"Version": n.version, "CommitSHA": "abc"})
	case r.URL.Path == "/healthz" && n.sick != "":
		w.WriteHeader(http.StatusServiceUnavailable)
		answer(map[string]any{"status": "Service Unavailable", "failed_checks": []map[string]string{{"component": "db", "reason": n.sick}}})
	case r.URL.Path == "/healthz":
		answer(map[string]string{"status": "OK"})
	case len(r.TLS.PeerCertificates) == 0:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == tlsstatus.Path && n.roles != nil:
		answer(n.roles)
	case r.URL.Path == "/metrics":
		_, _ = w.Write([]byte(n.metrics))
	default:
		http.NotFound(w, r)
	}
}

// world is a network of fakes with its files.
type world struct {
	t     testing.TB
	dir   string
	orgs  map[string]*authorities
	nodes map[string]*fakeNode
	group *common.ConfigGroup // the channel's configuration
}

// newWorld makes a network in stage 0: an ordering organisation with three consenters, two with a peer each, ECDSA all.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := emptyWorld(t)
	for org := range w.orgs {
		w.put(org+"-ca.crt", pki.CertPEM(w.orgs[org].tls.Cert))
		w.put(org+"-gmtls.crt", pki.CertPEM(w.orgs[org].gmTLS.Cert))
		w.put(org+"-gmid.crt", pki.CertPEM(w.orgs[org].gmID.Cert))
		w.putPair(org+"-client", w.orgs[org].tls)
	}
	for i := range 3 {
		w.start(fmt.Sprintf("orderer%d", i), "OrdererMSP", tlsstatus.OrdererGeneral, tlsstatus.OrdererClusterClient)
	}
	w.start("peer1", "Org1MSP", tlsstatus.PeerServer, tlsstatus.PeerClient)
	w.start("peer2", "Org2MSP", tlsstatus.PeerServer, tlsstatus.PeerClient)
	w.lead("orderer1", 3)
	w.makeGroup()
	w.inventory(nil)
	return w
}

// emptyWorld has organisations and no nodes.
func emptyWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), orgs: map[string]*authorities{}, nodes: map[string]*fakeNode{}}
	for _, org := range []string{"OrdererMSP", "Org1MSP", "Org2MSP"} {
		w.orgs[org] = &authorities{newCA(t, org+" tls", false), newCA(t, org+" gm tls", true), newCA(t, org+" id", false), newCA(t, org+" gm id", true)}
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) put(name string, data []byte) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(w.path(name), data, 0o600))
}

func (w *world) putPair(name string, ca *pki.CA) {
	cert, key := issue(w.t, ca, pki.SignUsage, 365)
	text, err := x509.MarshalPrivateKeyPEM(key, nil)
	require.NoError(w.t, err)
	w.put(name+".crt", pki.CertPEM(cert))
	w.put(name+".key", text)
}

// start starts a fake of a node that listens by one role and dials by another.
func (w *world) start(name, org, listens, dials string) {
	w.t.Helper()
	ca := w.orgs[org]
	n := &fakeNode{name: name, org: org, version: "v2.5.9-gm.0.1.0"}
	w.nodes[name] = n
	roots := x509.NewCertPool()
	roots.AddCert(ca.tls.Cert)
	cert, key := issue(w.t, ca.tls, pki.SignUsage, 365)
	n.tlsCert = cert
	n.operations = httptest.NewUnstartedServer(n)
	n.operations.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ClientCAs:    roots.Std(), ClientAuth: tls.VerifyClientCertIfGiven,
	}
	n.operations.StartTLS()
	w.t.Cleanup(n.operations.Close)
	w.serve(n, ca.gmTLS)
	until := time.Now().AddDate(1, 0, 0)
	certs := []tlsstatus.Certificate{{Use: "tls", Subject: "CN=" + name, NotAfter: until}}
	n.roles = []tlsstatus.Role{
		{Name: dials, ClientMode: "tls", Certificates: certs, ServerRoots: []tlsstatus.Root{{Family: "tls"}}},
		{Name: listens, ServerMode: "tls", Certificates: certs, ClientRoots: []tlsstatus.Root{{Family: "tls"}}},
		{Name: strings.Split(listens, ".")[0] + ".operations", ServerMode: "tls", Certificates: certs},
	}
	if listens == tlsstatus.PeerServer {
		n.roles = append(n.roles, tlsstatus.Role{Name: tlsstatus.PeerChaincode, ServerMode: "tls", Certificates: certs})
	}
}

// serve presents a pair of the CA at an address of the node's own.
func (w *world) serve(n *fakeNode, ca *pki.CA) {
	w.t.Helper()
	sign, signKey := issue(w.t, ca, pki.SignUsage, 365)
	enc, encKey := issue(w.t, ca, pki.EncUsage, 365)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	w.t.Cleanup(func() { listener.Close() })
	n.address, n.sign = listener.Addr().String(), sign
	w.put(n.name+"-sign.crt", pki.CertPEM(sign))
	config := &gmtls.Config{Versions: n.versions, Certificates: []gmtls.Certificate{{
		Certificate: [][]byte{sign.Raw, enc.Raw}, PrivateKey: signKey, EncPrivateKey: encKey,
	}}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = gmtls.Server(conn, config).Handshake()
			}()
		}
	}()
}

// lead makes an orderer the leader of so many active consenters.
func (w *world) lead(leader string, active int) {
	for name, n := range w.nodes {
		is := 0
		if name == leader {
			is = 1
		}
		n.set(func(n *fakeNode) {
			n.metrics = fmt.Sprintf("# HELP x\nconsensus_etcdraft_is_leader{channel=\"other\"} 1\n"+
				"consensus_etcdraft_is_leader{channel=\"trade\"} %d\nconsensus_etcdraft_active_nodes{channel=\"trade\"} %d\n", is, active)
		})
	}
}

// inventory writes nodes.yaml, without some organisations.
func (w *world) inventory(without []string) {
	var b strings.Builder
	b.WriteString("organizations:\n")
next:
	for org := range w.orgs {
		for _, other := range without {
			if other == org {
				continue next
			}
		}
		fmt.Fprintf(&b, "  %s:\n    client: {protocol: tls, ca: [%s-ca.crt], cert: %s-client.crt, key: %s-client.key}\n", org, org, org, org)
		fmt.Fprintf(&b, "    gmTLSRoots: [%s-gmtls.crt]\n    gmIdentityRoots: [%s-gmid.crt]\n    nodes:\n", org, org)
		for _, name := range sortedKeys(w.nodes) {
			if n := w.nodes[name]; n.org == org {
				fmt.Fprintf(&b, "      %s: {operations: %q, address: %q, signCert: %s-sign.crt}\n", name,
					strings.TrimPrefix(n.operations.URL, "https://"), n.address, name)
			}
		}
	}
	w.put("nodes.yaml", []byte(b.String()))
}

// makeGroup makes the channel's configuration, with versions that differ from level to level.
func (w *world) makeGroup() {
	t := w.t
	member := func(id string, version uint64) *common.ConfigGroup {
		ca := w.orgs[id]
		bound := pki.CertPEM(ca.id.Cert)
		ou := func(name string) *msp.FabricOUIdentifier {
			return &msp.FabricOUIdentifier{Certificate: bound, OrganizationalUnitIdentifier: name}
		}
		fabric := &msp.FabricMSPConfig{
			Name: id, RootCerts: [][]byte{pki.CertPEM(ca.id.Cert)}, TlsRootCerts: [][]byte{pki.CertPEM(ca.tls.Cert)},
			FabricNodeOus: &msp.FabricNodeOUs{Enable: true, ClientOuIdentifier: ou("client"), PeerOuIdentifier: ou("peer"),
				AdminOuIdentifier: ou("admin"), OrdererOuIdentifier: ou("orderer")},
		}
		return &common.ConfigGroup{Version: version, ModPolicy: "Admins", Values: map[string]*common.ConfigValue{
			"MSP": {Version: version + 4, ModPolicy: "Admins", Value: pack(t, &msp.MSPConfig{Config: pack(t, fabric)})},
		}}
	}
	metadata := &etcdraft.ConfigMetadata{Options: &etcdraft.Options{TickInterval: "100ms", ElectionTick: 10}}
	for i := range 3 {
		n := w.nodes[fmt.Sprintf("orderer%d", i)]
		host, port, err := net.SplitHostPort(n.address)
		require.NoError(t, err)
		number, err := strconv.Atoi(port)
		require.NoError(t, err)
		field := pki.CertPEM(n.tlsCert)
		metadata.Consenters = append(metadata.Consenters, &etcdraft.Consenter{Host: host, Port: uint32(number), ClientTlsCert: field, ServerTlsCert: field})
	}
	w.group = &common.ConfigGroup{Version: 1, Groups: map[string]*common.ConfigGroup{
		"Orderer": {Version: 2, Groups: map[string]*common.ConfigGroup{"Orderer": member("OrdererMSP", 3)}, Values: map[string]*common.ConfigValue{
			"ConsensusType": {Version: 5, ModPolicy: "Admins", Value: pack(t, &orderer.ConsensusType{Type: "etcdraft", Metadata: pack(t, metadata)})},
		}},
		"Application": {Version: 6, Groups: map[string]*common.ConfigGroup{"Org1": member("Org1MSP", 0), "Org2": member("Org2MSP", 1)}},
	}}
	w.commit(0)
}

// commit writes the configuration as a config block.
func (w *world) commit(number uint64) {
	t := w.t
	header := pack(t, &common.ChannelHeader{Type: int32(common.HeaderType_CONFIG), ChannelId: "trade"})
	payload := pack(t, &common.Payload{Header: &common.Header{ChannelHeader: header},
		Data: pack(t, &common.ConfigEnvelope{Config: &common.Config{ChannelGroup: w.group}})})
	w.put("config.block", pack(t, &common.Block{Header: &common.BlockHeader{Number: number},
		Data: &common.BlockData{Data: [][]byte{pack(t, &common.Envelope{Payload: payload})}}}))
}

// pairs takes the fork's nodes to stage 1.
func (w *world) pairs(names ...string) {
	for _, name := range names {
		w.nodes[name].set(func(n *fakeNode) {
			for i := range n.roles {
				r := &n.roles[i]
				r.Certificates = append(r.Certificates, shown(n.sign),
					tlsstatus.Certificate{Use: "gm-encryption", Subject: "CN=" + name, NotAfter: time.Now().AddDate(1, 0, 0)})
				r.ServerRoots, r.ClientRoots = both(r.ServerRoots), both(r.ClientRoots)
				if r.ServerMode != "" && r.InNetwork() {
					r.ServerMode = "dual"
				}
			}
		})
	}
}

// shown is how /tls shows an SM2 signing certificate.
func shown(c *x509.Certificate) tlsstatus.Certificate {
	return tlsstatus.Certificate{Use: tlsstatus.UseGMSigning, Subject: c.Subject.String(), Serial: c.SerialNumber.Text(16), NotAfter: c.NotAfter}
}

func both(roots []tlsstatus.Root) []tlsstatus.Root {
	if len(roots) == 0 {
		return nil
	}
	return append(roots, tlsstatus.Root{Family: "gm"})
}

// modes switches what nodes listen and dial by; empty: as it is.
func (w *world) modes(server, client string, names ...string) {
	for _, name := range names {
		w.nodes[name].set(func(n *fakeNode) {
			for i := range n.roles {
				r := &n.roles[i]
				if server != "" && r.ServerMode != "" && r.InNetwork() {
					r.ServerMode = tlsstatus.ServerMode(server)
				}
				if client != "" && r.ClientMode != "" {
					r.ClientMode = tlsstatus.ClientMode(client)
				}
			}
		})
	}
}

var everyNode = []string{"orderer0", "orderer1", "orderer2", "peer1", "peer2"}

// run runs gmtls migrate in the world's folder.
func (w *world) run(args ...string) (out string, exitCode int) {
	w.t.Helper()
	c := Command()
	c.SilenceErrors, c.SilenceUsage = true, true
	var buffer bytes.Buffer
	c.SetOut(&buffer)
	c.SetErr(&buffer)
	c.SetArgs(append(args, "--nodes", w.path("nodes.yaml")))
	err := c.ExecuteContext(w.t.Context())
	number, printed := exit.Code(err)
	if !printed {
		buffer.WriteString(err.Error())
	}
	return buffer.String(), number
}

func (w *world) block() string { return "--block=" + w.path("config.block") }

// refused runs a command that is to refuse, naming all of what is wanted.
func (w *world) refused(want []string, args ...string) {
	w.t.Helper()
	out, number := w.run(args...)
	require.Equal(w.t, exit.Findings, number, out)
	for _, text := range want {
		require.Contains(w.t, out, text)
	}
}

// allowed runs a command that is to end well.
func (w *world) allowed(args ...string) string {
	w.t.Helper()
	out, number := w.run(args...)
	require.Equal(w.t, exit.OK, number, out)
	return out
}

// updates makes updates of a kind, and has the channel take them over as an orderer would. It returns what was written.
func (w *world) updates(number uint64, kind string, args ...string) []string {
	w.t.Helper()
	w.allowed(append([]string{"update", kind, w.block(), "--out", w.dir}, args...)...)
	files, err := filepath.Glob(w.path("*.pb"))
	require.NoError(w.t, err)
	for _, file := range files {
		w.take(file)
		require.NoError(w.t, os.Remove(file))
	}
	w.commit(number)
	return files
}

// take puts the write set of an update into the configuration, as far as an orderer would: values whose version
// is one higher, under groups whose version is that of both sets.
func (w *world) take(file string) {
	w.t.Helper()
	update := readUpdate(w.t, file)
	var merge func(now, read, write *common.ConfigGroup)
	merge = func(now, read, write *common.ConfigGroup) {
		require.Equal(w.t, now.Version, read.Version, file)
		require.Equal(w.t, now.Version, write.Version, file)
		for key, value := range write.Values {
			require.Equal(w.t, now.Values[key].Version+1, value.Version, file)
			require.Equal(w.t, now.Values[key].ModPolicy, value.ModPolicy, file)
			now.Values[key] = value
		}
		for name, group := range write.Groups {
			require.NotNil(w.t, now.Groups[name], file)
			merge(now.Groups[name], read.Groups[name], group)
		}
	}
	merge(w.group, update.ReadSet, update.WriteSet)
}

// readUpdate opens the envelope of an update and checks that nobody has signed it.
func readUpdate(t testing.TB, file string) *common.ConfigUpdate {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var (
		envelope common.Envelope
		payload  common.Payload
		header   common.ChannelHeader
		inner    common.ConfigUpdateEnvelope
		update   common.ConfigUpdate
	)
	require.NoError(t, proto.Unmarshal(data, &envelope))
	require.Empty(t, envelope.Signature)
	require.NoError(t, proto.Unmarshal(envelope.Payload, &payload))
	require.NoError(t, proto.Unmarshal(payload.Header.ChannelHeader, &header))
	require.Equal(t, int32(common.HeaderType_CONFIG_UPDATE), header.Type)
	require.Equal(t, "trade", header.ChannelId)
	require.NoError(t, proto.Unmarshal(payload.Data, &inner))
	require.Empty(t, inner.Signatures)
	require.NoError(t, proto.Unmarshal(inner.ConfigUpdate, &update))
	require.Equal(t, "trade", update.ChannelId)
	return &update
}

// mspIn reads an organisation's MSP from the configuration as it is now.
func (w *world) mspIn(section, org string) *msp.FabricMSPConfig {
	w.t.Helper()
	outer, fabric := new(msp.MSPConfig), new(msp.FabricMSPConfig)
	require.NoError(w.t, proto.Unmarshal(w.group.Groups[section].Groups[org].Values["MSP"].Value, outer))
	require.NoError(w.t, proto.Unmarshal(outer.Config, fabric))
	return fabric
}

// fieldsIn reads the consenters' fields from the configuration as it is now.
func (w *world) fieldsIn() (list []*etcdraft.Consenter) {
	w.t.Helper()
	consensus, metadata := new(orderer.ConsensusType), new(etcdraft.ConfigMetadata)
	require.NoError(w.t, proto.Unmarshal(w.group.Groups["Orderer"].Values["ConsensusType"].Value, consensus))
	require.NoError(w.t, proto.Unmarshal(consensus.Metadata, metadata))
	require.Equal(w.t, uint32(10), metadata.Options.ElectionTick, "options got lost")
	return metadata.Consenters
}

// dialsWith has an orderer dial others with a certificate of its own.
func (n *fakeNode) dialsWith(cert *x509.Certificate) {
	for i := range n.roles {
		r := &n.roles[i]
		if r.Name != tlsstatus.OrdererClusterClient {
			continue
		}
		r.Certificates = append([]tlsstatus.Certificate{}, r.Certificates...)
		for j := range r.Certificates {
			if r.Certificates[j].Use == tlsstatus.UseGMSigning {
				r.Certificates[j] = shown(cert)
			}
		}
	}
}

// known puts certificates into the first consenter's fields behind the one of TLS.
func (w *world) known(server, client *x509.Certificate) {
	w.t.Helper()
	w.consensus(func(c *orderer.ConsensusType) {
		metadata := new(etcdraft.ConfigMetadata)
		require.NoError(w.t, proto.Unmarshal(c.Metadata, metadata))
		first := metadata.Consenters[0]
		std, _ := identities(first.ServerTlsCert)
		first.ServerTlsCert, first.ClientTlsCert = slices.Concat(std, pki.CertPEM(server)), slices.Concat(std, pki.CertPEM(client))
		c.Metadata = pack(w.t, metadata)
	})
}

// consensus changes the channel's ConsensusType.
func (w *world) consensus(change func(*orderer.ConsensusType)) {
	w.t.Helper()
	value, consensus := w.group.Groups["Orderer"].Values["ConsensusType"], new(orderer.ConsensusType)
	require.NoError(w.t, proto.Unmarshal(value.Value, consensus))
	change(consensus)
	value.Value = pack(w.t, consensus)
	w.commit(40)
}

// smartBFT has the channel order by SmartBFT, with the same consenters.
func (w *world) smartBFT() {
	w.t.Helper()
	orderers := new(common.Orderers)
	for _, c := range w.fieldsIn() {
		orderers.ConsenterMapping = append(orderers.ConsenterMapping,
			&common.Consenter{Host: c.Host, Port: c.Port, MspId: "OrdererMSP", ClientTlsCert: c.ClientTlsCert, ServerTlsCert: c.ServerTlsCert})
	}
	w.group.Groups["Orderer"].Values["Orderers"] = &common.ConfigValue{ModPolicy: "Admins", Value: pack(w.t, orderers)}
	w.consensus(func(c *orderer.ConsensusType) { c.Type, c.Metadata = "BFT", nil })
}

// bftSeats changes the seats of SmartBFT's consenters.
func (w *world) bftSeats(change func(c *common.Consenter)) {
	w.t.Helper()
	value, orderers := w.group.Groups["Orderer"].Values["Orderers"], new(common.Orderers)
	require.NoError(w.t, proto.Unmarshal(value.Value, orderers))
	for _, c := range orderers.ConsenterMapping {
		change(c)
	}
	value.Value = pack(w.t, orderers)
	w.commit(41)
}
