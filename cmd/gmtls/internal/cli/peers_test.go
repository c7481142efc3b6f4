// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/rogpeppe/go-internal/testscript"
	tjtls "github.com/tjfoc/gmsm/gmtls"
	tjx509 "github.com/tjfoc/gmsm/x509"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// world is the key material of one script.
type world struct {
	gm, std   *pki.CA
	from, to  time.Time
	names     []string
	signUsage stdx509.KeyUsage
	encUsage  stdx509.KeyUsage
	change    func(*x509.Certificate)
	above     *x509.Certificate // the root, where gm is an intermediate CA
}

func setup(env *testscript.Env) error {
	now := time.Now()
	w := &world{
		from: now.Add(-time.Hour), to: now.AddDate(1, 0, 0), names: []string{"localhost", "127.0.0.1"},
		signUsage: pki.SignUsage, encUsage: pki.EncUsage,
	}
	var err error
	if w.gm, err = pki.NewCA("gm root", true, now.AddDate(-2, 0, 0), now.AddDate(9, 0, 0)); err != nil {
		return err
	}
	if w.std, err = pki.NewCA("tls root", false, now.AddDate(-2, 0, 0), now.AddDate(9, 0, 0)); err != nil {
		return err
	}
	env.Values["world"], env.Values["tap"] = w, new(tap)
	env.Values["golden"], err = filepath.Abs("testdata/golden")
	return err
}

func check(ts *testscript.TestScript, err error) {
	if err != nil {
		ts.Fatalf("%v", err)
	}
}

// leaf issues a certificate for the world as it is.
func (w *world) leaf(ca *pki.CA, subject string, usage stdx509.KeyUsage) (*x509.Certificate, crypto.Signer, error) {
	template := pki.Leaf(subject, w.names, usage, w.from, w.to)
	if w.change != nil {
		w.change(template)
	}
	return ca.Issue(template)
}

func (w *world) pair(encSubject string) (gmtls.Certificate, error) {
	sign, signKey, err := w.leaf(w.gm, "peer", w.signUsage)
	if err != nil {
		return gmtls.Certificate{}, err
	}
	enc, encKey, err := w.leaf(w.gm, encSubject, w.encUsage)
	if err != nil {
		return gmtls.Certificate{}, err
	}
	return gmtls.Certificate{
		Certificate: [][]byte{sign.Raw, enc.Raw}, PrivateKey: signKey, EncPrivateKey: encKey,
	}, nil
}

func (w *world) tls() (tls.Certificate, error) {
	cert, key, err := w.leaf(w.std, "peer", pki.SignUsage)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}, err
}

// grant writes files: "grant roots", "grant client", "grant other" (a root and a
// client pair of another CA of the same name).
func grant(ts *testscript.TestScript, neg bool, args []string) {
	w := ts.Value("world").(*world)
	put := func(name string, data []byte) { check(ts, os.WriteFile(ts.MkAbs(name), data, 0o600)) }
	switch args[0] {
	case "roots":
		put("gm-ca.crt", pki.CertPEM(w.gm.Cert))
		put("ca.crt", pki.CertPEM(w.std.Cert))
	case "other":
		other, err := pki.NewCA(args[1], true, w.from, w.to)
		check(ts, err)
		put("other.crt", pki.CertPEM(other.Cert))
		w = &world{gm: other, from: w.from, to: w.to, signUsage: w.signUsage, encUsage: w.encUsage}
		fallthrough
	case "client":
		for _, part := range []struct {
			name  string
			ca    *pki.CA
			usage stdx509.KeyUsage
		}{{"client-sign", w.gm, pki.SignUsage}, {"client-enc", w.gm, pki.EncUsage}, {"client", w.std, pki.SignUsage}} {
			if part.ca == nil {
				continue
			}
			cert, key, err := part.ca.Issue(pki.Leaf("client", nil, part.usage, w.from, w.to))
			check(ts, err)
			text, err := x509.MarshalPrivateKeyPEM(key, nil)
			check(ts, err)
			put(part.name+".crt", pki.CertPEM(cert))
			put(part.name+".key", text)
		}
	default:
		ts.Fatalf("grant: unknown %q", args[0])
	}
}

// startPeer starts a peer of a kind on a free port of the loopback address and
// sets ADDR and PORT. It lives until the script ends.
func startPeer(ts *testscript.TestScript, neg bool, args []string) {
	w := *ts.Value("world").(*world)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(ts, err)
	ts.Defer(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ts.Setenv("ADDR", l.Addr().String())
	ts.Setenv("PORT", port)
	kind := args[0]
	check(ts, w.adapt(kind))
	encSubject := "peer"
	if kind == "unpaired" {
		encSubject = "somebody else"
	}
	pair, err := w.pair(encSubject)
	check(ts, err)
	std, err := w.tls()
	check(ts, err)
	tlcp := &gmtls.Config{
		Certificates: []gmtls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"},
		ServerSessionCache: gmtls.NewLRUServerSessionCache(8),
	}
	ordinary := &tls.Config{Certificates: []tls.Certificate{std}, NextProtos: []string{"h2", "http/1.1"}}
	w.configure(ts, kind, tlcp, ordinary)
	if f := rawPeers[kind]; f != nil {
		go serve(l, func(c net.Conn) { f(&w, c) })
		return
	}
	switch kind {
	case "refused":
		l.Close()
	case "grpc", "sick-grpc":
		grpcPeer(ts, l, tlcp, kind == "sick-grpc")
	case "operations", "sick-operations", "late-operations":
		go http.Serve(gmtls.NewListener(l, tlcp), operations(kind)) // ends with the listener
	case "tls", "tls-mutual":
		go serve(l, func(c net.Conn) { chat(tls.Server(c, ordinary)) })
	case "once", "no-dummy-once":
		handle := func(c net.Conn) { chat(gmtls.Server(c, tlcp)) }
		if kind != "once" {
			handle = func(c net.Conn) { rawPeers["no-dummy"](&w, c) }
		}
		go func() {
			if c, err := l.Accept(); err == nil {
				l.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				handle(c)
			}
		}()
	case "tjfoc":
		go serve(l, w.tjfoc(ts, pair))
	case "dual", "three":
		sniff := gmtls.SniffConfig{
			TLCP: func(c net.Conn) net.Conn { return gmtls.Server(c, tlcp) },
			TLS:  func(c net.Conn) net.Conn { return tls.Server(c, ordinary) },
		}
		if kind == "three" {
			newer := tlcp.Clone()
			newer.Versions, newer.CurvePreferences = []uint16{gmtls.VersionTLS13}, material.Groups(true)
			sniff.TLS13 = func(c net.Conn) net.Conn { return gmtls.Server(c, newer) }
		}
		go serve(gmtls.NewSniffListener(l, sniff), chat)
	default:
		go serve(l, func(c net.Conn) { chat(gmtls.Server(c, tlcp)) })
	}
}

// adapt changes the certificates for a kind of peer.
func (w *world) adapt(kind string) error {
	now := time.Now()
	switch kind {
	case "sign-usage", "tls13-sign-usage":
		w.signUsage = stdx509.KeyUsageCRLSign
	case "from-middle", "says-middle":
		return w.middle(kind == "says-middle")
	case "expired":
		w.from, w.to = now.AddDate(-1, 0, 0), now.Add(-time.Hour)
	case "future":
		w.from = now.Add(time.Hour)
	case "soon":
		w.to = now.AddDate(0, 0, 5)
	case "no-server-auth":
		w.change = func(c *x509.Certificate) { c.ExtKeyUsage = []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageClientAuth} }
	case "escape":
		w.names = []string{"\x1b[31mred"}
	case "enc-usage":
		w.encUsage = pki.SignUsage
	case "swapped":
		w.signUsage, w.encUsage = pki.EncUsage, pki.SignUsage
	}
	return nil
}

// middle has certificates issued by an intermediate CA, which nobody sends. says reports whether they name its issuer.
func (w *world) middle(says bool) error {
	template := pki.Leaf("middle", nil, w.gm.Cert.KeyUsage, w.from, w.to)
	template.BasicConstraintsValid, template.IsCA, template.ExtKeyUsage = true, true, nil
	cert, key, err := w.gm.Issue(template)
	if err != nil {
		return err
	}
	root := w.gm.Cert
	w.above, w.gm = root, &pki.CA{Cert: cert, Key: key}
	if !says {
		return nil
	}
	name := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: root.RawSubject}
	names, err := asn1.Marshal(name)
	if err != nil {
		return err
	}
	id, err := asn1.Marshal(struct {
		KeyID  []byte        `asn1:"tag:0"`
		Issuer asn1.RawValue `asn1:"tag:1"`
		Serial *big.Int      `asn1:"tag:2"`
	}{cert.SubjectKeyId, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: names}, cert.SerialNumber})
	w.change = func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: id})
	}
	return err
}

// configure changes the servers for a kind of peer.
func (w *world) configure(ts *testscript.TestScript, kind string, tlcp *gmtls.Config, ordinary *tls.Config) {
	roots := smx509.NewCertPool()
	top := w.gm.Cert
	if w.above != nil {
		top = w.above
	}
	root, err := smx509.ParseCertificate(top.Raw)
	check(ts, err)
	roots.AddCert(root)
	if strings.HasPrefix(kind, "tls13") {
		tlcp.Versions, tlcp.CurvePreferences = []uint16{gmtls.VersionTLS13}, material.Groups(true)
	}
	switch kind {
	case "tls13-ccm":
		tlcp.CipherSuites, tlcp.CurvePreferences = []uint16{gmtls.TLS_SM4_CCM_SM3}, nil
	case "tls13-hybrid-alone":
		tlcp.CurvePreferences = material.Groups(true)[:1]
	case "tls13-sign-key":
		key, err := pki.NewKey(true)
		check(ts, err)
		tlcp.Certificates[0].PrivateKey = key
	case "tls13-sign-usage": // hides from its own side what the certificate is for
		leaf, err := x509.ParseCertificate(tlcp.Certificates[0].Certificate[0])
		check(ts, err)
		leaf.KeyUsage = stdx509.KeyUsageDigitalSignature
		tlcp.Certificates[0].Leaf = leaf
	case "mutual", "tls13-mutual", "from-middle":
		tlcp.ClientAuth, tlcp.ClientCAs = gmtls.RequireAndVerifyClientCert, roots
	case "tls-mutual":
		pool := stdx509.NewCertPool()
		pool.AddCert(w.std.Cert)
		ordinary.ClientAuth, ordinary.ClientCAs = tls.RequireAndVerifyClientCert, pool
	case "ecdhe-only":
		tlcp.CipherSuites = []uint16{gmtls.ECDHE_SM4_GCM_SM3}
		tlcp.ClientAuth, tlcp.ClientCAs = gmtls.RequireAndVerifyClientCert, roots
	case "nameless":
		tlcp.GetConfigForClient = func(hello *gmtls.ClientHelloInfo) (*gmtls.Config, error) {
			if hello.ServerName != "" {
				return nil, errors.New("no name is wanted")
			}
			return nil, nil
		}
	case "root-sent":
		tlcp.Certificates[0].Certificate = append(tlcp.Certificates[0].Certificate, w.gm.Cert.Raw)
	case "spdy":
		tlcp.NextProtos = []string{"spdy/3"}
	case "foreign-sign-key":
		key, err := pki.NewKey(true)
		check(ts, err)
		tlcp.Certificates[0].PrivateKey = key
	case "foreign-enc-key":
		key, err := pki.NewKey(true)
		check(ts, err)
		tlcp.Certificates[0].EncPrivateKey = key
	case "same-key":
		tlcp.Certificates[0] = w.sameKey(ts)
	}
}

// sameKey makes a pair whose two certificates share a key.
func (w *world) sameKey(ts *testscript.TestScript) gmtls.Certificate {
	sign, key, err := w.leaf(w.gm, "peer", w.signUsage)
	check(ts, err)
	template := pki.Leaf("peer", w.names, w.encUsage, w.from, w.to)
	template.SerialNumber = sign.SerialNumber
	der, err := x509.CreateCertificate(rand.Reader, template, w.gm.Cert, key.Public(), w.gm.Key)
	check(ts, err)
	return gmtls.Certificate{Certificate: [][]byte{sign.Raw, der}, PrivateKey: key, EncPrivateKey: key}
}

func serve(l net.Listener, handle func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			handle(c)
		}()
	}
}

// chat returns what it reads, until the end.
func chat(c net.Conn) {
	_, _ = io.Copy(c, c)
	c.Close()
}

// tjfoc returns what serves as a server of another implementation that demands
// a client certificate, and tells how many it got.
func (w *world) tjfoc(ts *testscript.TestScript, pair gmtls.Certificate) func(net.Conn) {
	half := func(der []byte, key any) tjtls.Certificate {
		text, err := x509.MarshalPrivateKeyPEM(key, nil)
		check(ts, err)
		cert, err := tjtls.GMX509KeyPairsSingle(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), text)
		check(ts, err)
		return cert
	}
	pool := tjx509.NewCertPool()
	pool.AppendCertsFromPEM(pki.CertPEM(w.gm.Cert))
	config := &tjtls.Config{
		GMSupport: tjtls.NewGMSupport(), ClientAuth: tjtls.RequireAndVerifyClientCert, ClientCAs: pool,
		Certificates: []tjtls.Certificate{half(pair.Certificate[0], pair.PrivateKey), half(pair.Certificate[1], pair.EncPrivateKey)},
	}
	return func(c net.Conn) {
		s := tjtls.Server(c, config)
		if s.Handshake() == nil {
			fmt.Fprintf(s, "certificates: %d\n", len(s.ConnectionState().PeerCertificates))
		}
		s.Close()
	}
}

func grpcPeer(ts *testscript.TestScript, l net.Listener, config *gmtls.Config, sick bool) {
	server := grpc.NewServer(grpc.Creds(gmcredentials.New(config)))
	h := health.NewServer()
	if sick {
		h.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	}
	grpc_health_v1.RegisterHealthServer(server, h)
	for _, name := range []string{"protos.Endorser", "gossip.Gossip"} {
		server.RegisterService(&grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil)}, server)
	}
	go server.Serve(l) // ends with the listener
	ts.Defer(server.Stop)
}

func operations(kind string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if kind == "late-operations" {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		}
		if kind == "sick-operations" {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"status":"Service Unavailable","failed_checks":[{"component":"couchdb","reason":"gone"}]}`)
			return
		}
		fmt.Fprint(w, `{"status":"OK"}`)
	})
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"CommitSHA":"abc","Version":"3.1-test"}`)
	})
	return mux
}

// exits checks the exit code of a command: "exits CODE gmtls ARGS...". What the
// command wrote goes to stdout and stderr of the script as with exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	check(ts, err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		check(ts, err)
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d\n%s\n%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
	if strings.Contains(ts.ReadFile("stdout")+ts.ReadFile("stderr"), "\x1b") {
		ts.Fatalf("there is an escape sequence in the output")
	}
}
