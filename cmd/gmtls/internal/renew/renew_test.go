// SPDX-License-Identifier: Apache-2.0

package renew

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/safefile/safefiletest"
)

// site is a node whose operations service answers like that of a peer, and a program in the place of fabric-ca-client that copies the
// files of a folder.
type site struct {
	t              *testing.T
	ca, standard   *gmtlstest.CA // of SM2 and of ECDSA
	home, next     string
	plan           map[string]any
	node           map[string]any
	mu             sync.Mutex
	sick, deaf     bool // says that it is unhealthy; does not take pairs up
	mute           int  // so many answers to reloads get lost
	loads          int  // of the lost ones, so many are done all the same
	role           string
	served         []string // serials: signing, encryption, TLS
	identity       time.Time
	up             int // restarts until now
	file, restarts string
}

// subject of all certificates, so that a renewal keeps it.
var subject = pkix.Name{CommonName: "node", Organization: []string{"org1"}, Country: []string{"CN"}}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, ca: gmtlstest.NewCA(t), standard: gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "tls"), home: t.TempDir(), next: t.TempDir(), role: "peer.server"}
	for _, dir := range []string{s.home, s.next} {
		s.issue(dir, subject)
	}
	s.take()
	s.identify()
	server := httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	root := gmtlstest.WriteFile(t, t.TempDir(), "root.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	program := filepath.Join(t.TempDir(), "client")
	script := "#!/bin/sh\necho \"$@\" >> " + filepath.Join(s.next, "args") + "\ncd " + s.next + "\ncase \"$*\" in *tlcp*) cp tls/server-* tls/gm-* " + s.home + "/tls/;; *'profile tls'*) cp -r tls-msp " +
		s.home + ";; *) cp msp/signcerts/* " + s.home + "/msp/signcerts/;; esac\n"
	require.NoError(t, os.WriteFile(program, []byte(script), 0o700))
	s.restarts = filepath.Join(s.next, "restarts")
	s.node = map[string]any{
		"name": "node", "operations": strings.TrimPrefix(server.URL, "https://"),
		"client":   map[string]any{"protocol": "tls", "ca": []string{root}},
		"identity": map[string]any{"home": s.home}, "pair": map[string]any{"home": s.home},
		"tls":     map[string]any{"home": s.home, "cert": s.home + "/tls/server.crt", "key": s.home + "/tls/server.key"},
		"restart": []string{"sh", "-c", "echo >> " + s.restarts},
	}
	s.plan = map[string]any{"client": program, "within": "48h", "nodes": []any{s.node}}
	return s
}

// issue writes an identity and a pair into a home folder.
func (s *site) issue(home string, subject pkix.Name) {
	s.t.Helper()
	for _, dir := range []string{"tls", "msp/signcerts"} {
		require.NoError(s.t, os.MkdirAll(filepath.Join(home, dir), 0o700))
	}
	for _, name := range []string{"tls/server-sign.crt", "tls/server-enc.crt", "msp/signcerts/cert.pem"} {
		leaf := s.ca.Issue(s.t, subject)
		require.NoError(s.t, os.WriteFile(filepath.Join(home, name), leaf.CertPEM, 0o600))
		if key, isCert := strings.CutSuffix(name, ".crt"); isCert {
			require.NoError(s.t, os.WriteFile(filepath.Join(home, key+".key"), leaf.KeyPEM, 0o600))
		}
	}
	require.NoError(s.t, os.WriteFile(filepath.Join(home, "tls", "gm-ca.crt"), s.ca.CertPEM, 0o600))
	leaf := s.standard.Issue(s.t, subject)
	gmtlstest.WriteFile(s.t, filepath.Join(home, "tls"), "server.crt", leaf.CertPEM)
	gmtlstest.WriteFile(s.t, filepath.Join(home, "tls"), "server.key", leaf.KeyPEM)
	for _, dir := range []string{"signcerts", "keystore", "tlsintermediatecerts"} {
		require.NoError(s.t, os.MkdirAll(filepath.Join(home, "tls-msp", dir), 0o700))
	}
	gmtlstest.WriteFile(s.t, filepath.Join(home, "tls-msp", "signcerts"), "cert.pem", leaf.CertPEM)
	gmtlstest.WriteFile(s.t, filepath.Join(home, "tls-msp", "keystore"), serial(s.leaf(home, "tls/server.crt"))+"_sk", leaf.KeyPEM)
	gmtlstest.WriteFile(s.t, filepath.Join(home, "tls-msp", "tlsintermediatecerts"), "between.pem", s.standard.CertPEM)
}

func (s *site) leaf(home, name string) *x509.Certificate {
	cert, err := leaf(filepath.Join(home, name))
	require.NoError(s.t, err)
	return cert
}

// take is what a node does when it loads its files.
func (s *site) take() {
	s.served = []string{serial(s.leaf(s.home, "tls/server-sign.crt")), serial(s.leaf(s.home, "tls/server-enc.crt")), serial(s.leaf(s.home, "tls/server.crt"))}
}

// identify is what a node does with its identity when it starts.
func (s *site) identify() { s.identity = s.leaf(s.home, "msp/signcerts/cert.pem").NotAfter }

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "GET /healthz":
		if s.sick {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"failed_checks":[{"component":"keys","reason":"device gone"}]}`)
			return
		}
		fmt.Fprint(w, `{}`)
	case "POST /tls":
		if s.deaf {
			http.Error(w, "the pair is refused", http.StatusConflict)
			return
		}
		if s.mute > 0 {
			if s.mute--; s.loads > 0 {
				s.loads--
				s.take()
			}
			panic(http.ErrAbortHandler)
		}
		s.take()
	case "GET /tls":
		type cert = map[string]string
		_ = json.NewEncoder(w).Encode([]any{map[string]any{"role": s.role, "certificates": []cert{
			{"use": "gm-signing", "serial": s.served[0]}, {"use": "gm-encryption", "serial": s.served[1]}, {"use": "tls", "serial": s.served[2]}}}})
	case "GET /metrics":
		if now := s.restarted(); now != s.up {
			s.up = now
			s.identify()
		}
		fmt.Fprintf(w, "comm_tls_certificate_expiry{role=\"identity\",use=\"identity\"} %d\n", s.identity.Unix())
	default:
		http.NotFound(w, r)
	}
}

// run runs gmtls renew with the plan.
func (s *site) run(args ...string) (string, error) {
	s.t.Helper()
	data, err := yaml.Marshal(s.plan)
	require.NoError(s.t, err)
	s.file = gmtlstest.WriteFile(s.t, s.next, "renew.yaml", data)
	c := Command()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetArgs(append([]string{"--plan", s.file}, args...))
	c.SilenceUsage, c.SilenceErrors = true, true
	err = c.ExecuteContext(s.t.Context())
	return out.String(), err
}

func (s *site) same(home, name string) bool {
	a, err := os.ReadFile(filepath.Join(s.home, name))
	require.NoError(s.t, err)
	b, err := os.ReadFile(filepath.Join(home, name))
	require.NoError(s.t, err)
	return bytes.Equal(a, b)
}

func (s *site) restarted() int {
	data, _ := os.ReadFile(s.restarts)
	return bytes.Count(data, []byte("\n"))
}

// TestRenewal: what ends soon is renewed, with the names of before, and the node has taken it up.
func TestRenewal(t *testing.T) {
	s := newSite(t)
	time.Sleep(time.Second) // so that the new certificates end later than the old ones
	s.issue(s.next, subject)
	out, err := s.run("--check")
	code, _ := exit.Code(err)
	require.Equal(t, exit.Findings, code, out)
	require.Contains(t, out, "due")
	out, err = s.run()
	require.NoError(t, err)
	require.Contains(t, out, "serves it")
	require.True(t, s.same(s.next, "tls/server-sign.crt"))
	require.True(t, s.same(s.next, "msp/signcerts/cert.pem"))
	require.Equal(t, 1, s.restarted())
	args, err := os.ReadFile(filepath.Join(s.next, "args"))
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(args), "--csr.names C=CN,O=org1 --csr.hosts localhost,127.0.0.1 --csr.keyrequest.algo sm2"), "%s", args)
	require.Equal(t, 1, strings.Count(string(args), "--csr.keyrequest.algo ecdsa --csr.keyrequest.size 256 --enrollment.profile tls --mspdir "+s.home+"/tls-msp"), "%s", args)
	leaf, err := os.ReadFile(filepath.Join(s.next, "tls/server.crt"))
	require.NoError(t, err)
	chain, err := os.ReadFile(filepath.Join(s.home, "tls/server.crt"))
	require.NoError(t, err)
	require.Equal(t, string(leaf)+string(s.standard.CertPEM), string(chain), "with the CA between")
	require.True(t, s.same(s.next, "tls/server.key"))

	s.plan["within"] = "1h"
	out, err = s.run()
	require.NoError(t, err)
	require.Empty(t, out, "nothing is due")
	require.Equal(t, 1, s.restarted())
}

// TestRefusedPair: a pair that the node does not take, or that does not replace the old one, leaves the files as they were.
func TestRefusedPair(t *testing.T) {
	before := t.TempDir()
	for name, test := range map[string]struct {
		change func(s *site)
		want   string
	}{
		"the node refuses it":   {func(s *site) { s.deaf = true }, "the pair is refused"},
		"another subject":       {func(s *site) { s.issue(s.next, pkix.Name{CommonName: "other"}) }, "the subject was"},
		"no answer of the CA":   {func(s *site) { s.plan["client"] = "/bin/false" }, "false"},
		"an orderer's new key":  {func(s *site) { s.role = "orderer.general" }, "keepKeys"},
		"files of another node": {func(s *site) { s.served = []string{"1", "2", "3"} }, "another certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			test.change(s)
			require.NoError(t, os.CopyFS(filepath.Join(before, t.Name()), os.DirFS(s.home)))
			_, err := s.run()
			require.ErrorContains(t, err, test.want)
			for _, file := range pairFiles {
				require.True(t, s.same(filepath.Join(before, t.Name()), "tls/"+file), file)
			}
			require.Zero(t, s.restarted(), "the first failure ends the run")
		})
	}
}

// TestLostFiles: the error says whether the old files are back. The commands of this plan remove them.
func TestLostFiles(t *testing.T) {
	for name, lose := range map[string]func(s *site){
		"by the reload": func(s *site) { s.node["reload"] = []string{"sh", "-c", "rm -r " + s.home + "/tls; false"} },
		"by fabric-ca-client": func(s *site) {
			s.plan["client"] = gmtlstest.WriteFile(s.t, s.next, "remove", []byte("#!/bin/sh\nrm -r "+s.home+"/tls; exit 1\n"))
			require.NoError(s.t, os.Chmod(s.plan["client"].(string), 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			delete(s.node, "tls")
			lose(s)
			_, err := s.run()
			require.ErrorContains(t, err, "could not be put back")
			require.NotContains(t, err.Error(), "are back")
		})
	}
	s := newSite(t)
	s.deaf = true
	_, err := s.run()
	require.ErrorContains(t, err, "the old files are back")
}

// TestRefusedTLS: the same for a certificate of TLS; what fabric-ca-client has made goes as well.
func TestRefusedTLS(t *testing.T) {
	before := t.TempDir()
	for name, test := range map[string]struct {
		change func(s *site)
		want   string
	}{
		"the node refuses it":  {func(s *site) { s.deaf = true }, "the pair is refused"},
		"another subject":      {func(s *site) { s.issue(s.next, pkix.Name{CommonName: "other"}) }, "the subject was"},
		"no answer of the CA":  {func(s *site) { s.plan["client"] = "/bin/false" }, "false"},
		"an orderer's new key": {func(s *site) { s.role = "orderer.general" }, "tls.keepKeys"},
		"no key":               {func(s *site) { require.NoError(s.t, os.RemoveAll(filepath.Join(s.next, "tls-msp", "keystore"))) }, "holds the key"},
		"another certificate":  {func(s *site) { s.served = []string{"1", "2", "3"} }, "another certificate"},
		"an SM2 certificate":   {func(s *site) { s.node["tls"].(map[string]any)["cert"] = s.home + "/tls/server-sign.crt" }, "belongs to a pair"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			delete(s.node, "pair")
			test.change(s)
			copied := filepath.Join(before, t.Name())
			require.NoError(t, os.CopyFS(copied, os.DirFS(s.home)))
			_, err := s.run()
			require.ErrorContains(t, err, test.want)
			require.NoError(t, filepath.WalkDir(s.home, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					file, _ := filepath.Rel(s.home, path)
					require.FileExists(t, filepath.Join(copied, file))
					require.True(t, s.same(copied, file), file)
				}
				return err
			}))
			require.Zero(t, s.restarted())
		})
	}
}

// TestFullDisk: where there is no room for a certificate, the key of the one before stays too.
func TestFullDisk(t *testing.T) {
	s := newSite(t)
	before := t.TempDir()
	require.NoError(t, os.CopyFS(before, os.DirFS(s.home)))
	c := &tlsCertificate{MSP: filepath.Join(s.next, "tls-msp"), Cert: filepath.Join(s.home, "tls", "server.crt"), Key: filepath.Join(s.home, "tls", "server.key")}
	const room = 400 // of a key
	require.ErrorIs(t, safefiletest.OnFullDisk(t, room, c.install), syscall.EFBIG)
	for _, file := range []string{"tls/server.crt", "tls/server.key"} {
		require.True(t, s.same(before, file), file)
	}
	require.NoError(t, c.install())
	require.False(t, s.same(before, "tls/server.key"))
}

// TestKeptKeyOfTLS: with keepKeys, fabric-ca-client is asked to keep the key, and the node's file of it is not written.
func TestKeptKeyOfTLS(t *testing.T) {
	s := newSite(t)
	s.role = "orderer.general"
	delete(s.node, "pair")
	s.node["tls"].(map[string]any)["keepKeys"] = true
	require.NoError(t, os.RemoveAll(filepath.Join(s.next, "tls-msp", "keystore")))
	key, err := os.ReadFile(filepath.Join(s.home, "tls/server.key"))
	require.NoError(t, err)
	out, err := s.run()
	require.NoError(t, err, out)
	args, err := os.ReadFile(filepath.Join(s.next, "args"))
	require.NoError(t, err)
	require.Contains(t, string(args), "--csr.keyrequest.reusekey --enrollment.profile tls")
	now, err := os.ReadFile(filepath.Join(s.home, "tls/server.key"))
	require.NoError(t, err)
	require.Equal(t, string(key), string(now))
}

// TestNoRestart: a node is restarted only while all others are healthy, and only with a certificate that replaces the old one.
func TestNoRestart(t *testing.T) {
	for name, test := range map[string]struct {
		change func(s *site)
		want   string
	}{
		"a sick node":           {func(s *site) { s.sick = true }, "device gone"},
		"another subject":       {func(s *site) { s.issue(s.next, pkix.Name{CommonName: "other"}) }, "the subject was"},
		"the certificate stays": {func(s *site) { require.NoError(s.t, os.CopyFS(s.next+"/x", os.DirFS(s.home))); s.keep() }, "was there"},
		"a second certificate":  {func(s *site) { gmtlstest.WriteFile(s.t, s.next+"/msp/signcerts", "b.pem", s.ca.CertPEM) }, "2 files"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			delete(s.node, "pair")
			delete(s.node, "tls")
			test.change(s)
			before := serial(s.leaf(s.home, "msp/signcerts/cert.pem"))
			_, err := s.run()
			require.ErrorContains(t, err, test.want)
			require.Zero(t, s.restarted())
			require.Equal(t, before, serial(s.leaf(s.home, "msp/signcerts/cert.pem")))
			require.NoFileExists(t, filepath.Join(s.home, "msp/signcerts/b.pem"))
		})
	}
}

// keep has the program in the place of fabric-ca-client change nothing.
func (s *site) keep() { s.plan["client"] = "/bin/true" }

// TestWrongPlans are refused before anything is asked or changed.
func TestWrongPlans(t *testing.T) {
	for name, test := range map[string]struct {
		change func(s *site)
		want   string
	}{
		"an unknown key":           {func(s *site) { s.node["pairs"] = 1 }, "pairs"},
		"no way to restart":        {func(s *site) { delete(s.node, "restart") }, "restart"},
		"no roots":                 {func(s *site) { s.node["client"] = map[string]any{"protocol": "tls"} }, "client.ca is empty"},
		"no operations":            {func(s *site) { s.node["operations"] = "here" }, "HOST:PORT"},
		"a node twice":             {func(s *site) { s.plan["nodes"] = []any{s.node, s.node} }, "twice"},
		"nothing to renew":         {func(s *site) { delete(s.node, "pair"); delete(s.node, "identity"); delete(s.node, "tls") }, "neither"},
		"no key of TLS":            {func(s *site) { delete(s.node["tls"].(map[string]any), "key") }, "tls.key"},
		"no time":                  {func(s *site) { s.plan["within"] = "0s" }, "positive"},
		"a folder that is missing": {func(s *site) { s.node["pair"] = map[string]any{"home": "/nowhere"} }, "/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			test.change(s)
			_, err := s.run()
			require.ErrorContains(t, err, test.want)
			require.NoFileExists(t, filepath.Join(s.next, "args"))
		})
	}
	file := gmtlstest.WriteFile(t, t.TempDir(), "renew.yaml", []byte("nodes: [{name: a}]\n---\nnodes: [{name: b}]\n"))
	_, err := loadPlan(file)
	require.ErrorContains(t, err, file+": something follows the first document")
}

// TestOwnerInAChain: a certificate's file may hold its chain in any order, and what is renewed is the owner's.
func TestOwnerInAChain(t *testing.T) {
	const cases = "../../../../common/crypto/material/testdata/cases/"
	cert, err := leaf(cases + "chain-order/root-first.pem")
	require.NoError(t, err)
	require.False(t, cert.IsCA)
	cert, err = leaf(cases + "tlcp-files/der.crt")
	require.NoError(t, err)
	require.False(t, cert.IsCA)
	_, err = leaf(cases + "crls-folder/key.pem")
	require.ErrorContains(t, err, "crls-folder/key.pem: ")
}

// TestInstallAsNodesRead: what fabric-ca-client leaves is read in each form that nodes read, and what the node gets is a pair.
func TestInstallAsNodesRead(t *testing.T) {
	der := func(text []byte) []byte {
		block, _ := pem.Decode(text)
		return block.Bytes
	}
	leaf := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").Issue(t, subject)
	old := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").Issue(t, subject)
	private, err := x509.ParsePrivateKeyPEM(leaf.KeyPEM, nil)
	require.NoError(t, err)
	locked, err := x509.MarshalPrivateKeyPEM(private, []byte("secret"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		cert, key []byte
		want      []string // of the error; none: it is installed
	}{
		"PEM":                {cert: leaf.CertPEM, key: leaf.KeyPEM},
		"DER":                {cert: der(leaf.CertPEM), key: der(leaf.KeyPEM)},
		"byte order mark":    {cert: append([]byte("\xef\xbb\xbf"), leaf.CertPEM...), key: append([]byte("\xef\xbb\xbf"), leaf.KeyPEM...)},
		"behind another key": {cert: leaf.CertPEM, key: append(bytes.Clone(old.KeyPEM), leaf.KeyPEM...)},
		"encrypted key":      {leaf.CertPEM, locked, []string{"holds the key", "is.key: private key: x509: the private key is encrypted", "openssl pkey"}},
		"damaged key":        {leaf.CertPEM, leaf.KeyPEM[:60], []string{"holds the key", "is.key", "END line is missing"}},
		"damaged chain":      {leaf.CertPEM[:60], leaf.KeyPEM, []string{"cert.pem", "END line is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			tls := &tlsCertificate{MSP: filepath.Join(s.next, "tls-msp"), Cert: filepath.Join(s.home, "tls", "server.crt"), Key: filepath.Join(s.home, "tls", "server.key")}
			gmtlstest.WriteFile(t, filepath.Join(tls.MSP, "signcerts"), "cert.pem", c.cert)
			gmtlstest.WriteFile(t, filepath.Join(tls.MSP, "keystore"), "is.key", c.key)
			gmtlstest.WriteFile(t, filepath.Join(tls.MSP, "keystore"), "another.key", old.KeyPEM)
			err := tls.install()
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			if len(c.want) > 0 {
				return
			}
			require.NoError(t, err)
			pair, err := material.ReadTLSPair(tls.Cert, tls.Key)
			require.NoError(t, err)
			require.Equal(t, der(leaf.CertPEM), pair.Certificate[0])
		})
	}
}

// TestKilled: what a run that was killed has left is found by the next one, although nothing ends soon, and --check says so.
func TestKilled(t *testing.T) {
	for name, test := range map[string]struct {
		mark func(s *site) mark
		left func(s *site) // what the run had done
		want string
	}{
		"the files of a pair, not the reload": {func(s *site) mark { return markOf(s.home+"/tls", "pair") }, func(s *site) {
			require.NoError(s.t, os.CopyFS(s.home+"/killed", os.DirFS(s.next+"/tls")))
			for _, file := range pairFiles {
				require.NoError(s.t, os.Rename(s.home+"/killed/"+file, s.home+"/tls/"+file))
			}
		}, "renewed the pair"},
		"a part of them": {func(s *site) mark { return markOf(s.home+"/tls", "pair") }, func(s *site) {
			require.NoError(s.t, os.CopyFS(s.home+"/killed", os.DirFS(s.next+"/tls")))
			for _, file := range pairFiles[:3] {
				require.NoError(s.t, os.Rename(s.home+"/killed/"+file, s.home+"/tls/"+file))
			}
		}, "renewed the pair"},
		"a certificate of TLS": {func(s *site) mark { return markOf(s.home+"/tls-msp", "tls") }, func(s *site) {}, "renewed the certificate of TLS"},
		"an identity, not the restart": {func(s *site) mark { return markOf(s.home+"/msp", "identity") }, func(s *site) {
			require.NoError(s.t, os.CopyFS(s.home+"/killed", os.DirFS(s.next+"/msp/signcerts")))
			require.NoError(s.t, os.Rename(s.home+"/killed/cert.pem", s.home+"/msp/signcerts/cert.pem"))
		}, "renewed the identity"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.plan["within"] = "1h"
			time.Sleep(time.Second) // so that the new certificates end later than the old ones
			s.issue(s.next, subject)
			test.left(s)
			m := test.mark(s)
			require.NoError(t, m.set())
			out, err := s.run("--check")
			code, _ := exit.Code(err)
			require.Equal(t, exit.Findings, code, out)
			require.Contains(t, out, string(m)+" is there; due")
			out, err = s.run()
			require.NoError(t, err, out)
			require.Contains(t, out, test.want)
			require.False(t, m.isSet())
			require.Equal(t, serial(s.leaf(s.home, "tls/server-sign.crt")), s.served[0])
			require.Equal(t, s.leaf(s.home, "msp/signcerts/cert.pem").NotAfter, s.identity)
			out, err = s.run()
			require.NoError(t, err)
			require.Empty(t, out)
		})
	}
}

// TestFailedRestart: a new identity that a node was not restarted for is not forgotten.
func TestFailedRestart(t *testing.T) {
	s := newSite(t)
	delete(s.node, "pair")
	delete(s.node, "tls")
	restart := s.node["restart"]
	s.node["restart"] = []string{"false"}
	time.Sleep(time.Second)
	s.issue(s.next, subject)
	_, err := s.run()
	require.ErrorContains(t, err, "restart: ")
	s.node["restart"], s.plan["within"] = restart, "1h"
	out, err := s.run()
	require.NoError(t, err)
	require.Contains(t, out, "restarted")
	args, err := os.ReadFile(filepath.Join(s.next, "args"))
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(args, []byte("\n")), "it is enrolled once")
}

// TestMarks: a failure after which the old files are back leaves no mark, and one in files that were marked leaves it.
func TestMarks(t *testing.T) {
	s := newSite(t)
	s.deaf = true
	m := markOf(s.home+"/tls", "pair")
	_, err := s.run()
	require.ErrorContains(t, err, "the old files are back")
	require.False(t, m.isSet())
	require.NoError(t, m.set())
	_, err = s.run()
	require.Error(t, err)
	require.True(t, m.isSet())

	s = newSite(t) // and so of an identity
	delete(s.node, "pair")
	delete(s.node, "tls")
	s.keep()
	m = markOf(s.home+"/msp", "identity")
	_, err = s.run()
	require.ErrorContains(t, err, "the old files are back")
	require.False(t, m.isSet())
	require.NoError(t, m.set())
	_, err = s.run()
	require.ErrorContains(t, err, "the old files are back")
	require.True(t, m.isSet())
}

// TestIdentityThatCannotBePutBack: the files may then be new while the node uses the old ones, so the mark stays, and the next run makes it again.
func TestIdentityThatCannotBePutBack(t *testing.T) {
	s := newSite(t)
	delete(s.node, "pair")
	delete(s.node, "tls")
	client, folder := s.plan["client"], filepath.Join(s.home, "msp/signcerts")
	program := filepath.Join(t.TempDir(), "client")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nmv "+folder+" "+s.home+"/away && touch "+folder+" && exit 1\n"), 0o700))
	s.plan["client"] = program
	_, err := s.run()
	require.ErrorContains(t, err, "the old files could not be put back")
	m := markOf(s.home+"/msp", "identity")
	require.True(t, m.isSet())
	require.NoError(t, os.Remove(folder))
	require.NoError(t, os.Rename(s.home+"/away", folder))
	s.plan["client"], s.plan["within"] = client, "1h"
	out, err := s.run("--check")
	code, _ := exit.Code(err)
	require.Equal(t, exit.Findings, code)
	require.Contains(t, out, string(m)+" is there; due")
}

// TestWhatARestartLeavesRunning: a program that a restart starts, and that keeps the output of the restart, is not waited for.
func TestWhatARestartLeavesRunning(t *testing.T) {
	require.ErrorContains(t, command(t.Context(), "sh", "-c", "sleep 20 &"), "it left a program running that holds its output")
	require.NoError(t, command(t.Context(), "sh", "-c", "sleep 20 >/dev/null 2>&1 &"))
	require.ErrorContains(t, command(t.Context(), "sh", "-c", "echo it is so >&2; exit 3"), "exit status 3: it is so")
}

// TestNamesWithBrackets: a folder whose name is a pattern is that folder, and its files are saved and put back.
func TestNamesWithBrackets(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "node[1]")
	require.NoError(t, os.Mkdir(folder, 0o700))
	gmtlstest.WriteFile(t, folder, "cert.pem", []byte("old"))
	before, err := saveFolder(folder)
	require.NoError(t, err)
	require.Len(t, before, 1)
	gmtlstest.WriteFile(t, folder, "cert.pem", []byte("new"))
	gmtlstest.WriteFile(t, folder, "second.pem", []byte("new"))
	require.NoError(t, before.restoreFolder(folder))
	data, err := os.ReadFile(filepath.Join(folder, "cert.pem"))
	require.NoError(t, err)
	require.Equal(t, "old", string(data))
	require.NoFileExists(t, filepath.Join(folder, "second.pem"))
}

// TestChainUnderAPattern: intermediates are installed from a folder whose name is a pattern, and so is the key.
func TestChainUnderAPattern(t *testing.T) {
	s := newSite(t)
	c := &tlsCertificate{MSP: filepath.Join(s.next, "[msp]"), Cert: filepath.Join(s.home, "tls", "server.crt"), Key: filepath.Join(s.home, "tls", "server.key")}
	require.NoError(t, os.Rename(filepath.Join(s.next, "tls-msp"), c.MSP))
	require.NoError(t, c.install())
	certs, err := material.ReadCertificates(c.Cert)
	require.NoError(t, err)
	require.Len(t, certs, 2)
}

// TestFilesOfAnotherUser: what root writes the node could not read.
func TestFilesOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it wants root")
	}
	for _, file := range []string{"tls/server-sign.key", "tls/server.key", "msp/signcerts/cert.pem"} {
		s := newSite(t)
		require.NoError(t, os.Chown(filepath.Join(s.home, file), 65534, 65534))
		_, err := s.run()
		require.ErrorContains(t, err, "node: "+filepath.Join(s.home, file)+" belongs to user 65534")
		require.NoFileExists(t, filepath.Join(s.next, "args"))
		_, err = s.run("--check")
		require.Equal(t, exit.Findings, func() int { code, _ := exit.Code(err); return code }())
	}
}

// TestLostAnswer: a node that has taken up the new files, whose answer got lost, takes the old ones back. If that is not known, the mark
// stays, and the next run renews again.
func TestLostAnswer(t *testing.T) {
	for name, mute := range map[string]int{"once": 1, "for ever": 2} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			old := s.served
			s.mute, s.loads = mute, 1
			m := markOf(s.home+"/tls", "pair")
			_, err := s.run()
			require.ErrorContains(t, err, "the old files are back")
			require.Equal(t, old[0], serial(s.leaf(s.home, "tls/server-sign.crt")))
			require.Equal(t, mute == 2, m.isSet())
			if mute == 1 {
				require.Equal(t, old, s.served)
				return
			}
			require.ErrorContains(t, err, "the node may serve the new ones")
			require.NotEqual(t, old[0], s.served[0])
			out, err := s.run()
			require.NoError(t, err)
			require.Contains(t, out, "renewed the pair")
			require.False(t, m.isSet())
		})
	}
}
