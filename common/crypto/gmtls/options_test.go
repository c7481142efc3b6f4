// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Clone must copy every field: one that it forgot would silently fall back to
// its default.
func TestConfigClone(t *testing.T) {
	var c Config
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		field, typ := v.Field(i), v.Type().Field(i)
		switch field.Kind() {
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Int, reflect.Int64:
			field.SetInt(3)
		case reflect.String:
			field.SetString("x")
		case reflect.Slice:
			field.Set(reflect.MakeSlice(typ.Type, 1, 1))
		case reflect.Pointer:
			field.Set(reflect.New(typ.Type.Elem()))
		case reflect.Func:
			field.Set(reflect.MakeFunc(typ.Type, func([]reflect.Value) []reflect.Value { return nil }))
		case reflect.Interface:
			value := map[string]any{
				"Rand": strings.NewReader(""), "KeyLogWriter": io.Discard,
				"ClientSessionCache": NewLRUClientSessionCache(1), "ServerSessionCache": NewLRUServerSessionCache(1),
			}[typ.Name]
			if value == nil {
				t.Fatalf("the test knows no value for the field %s", typ.Name)
			}
			field.Set(reflect.ValueOf(value))
		default:
			t.Fatalf("the test knows no value for the field %s", typ.Name)
		}
	}
	clone := reflect.ValueOf(c.Clone()).Elem()
	for i := range v.NumField() {
		name, a, b := v.Type().Field(i).Name, v.Field(i), clone.Field(i)
		same := false
		switch a.Kind() {
		case reflect.Func, reflect.Slice:
			same = a.Pointer() == b.Pointer()
		default:
			same = a.Interface() == b.Interface()
		}
		if !same || a.IsZero() {
			t.Errorf("Clone loses %s", name)
		}
	}
	if (*Config)(nil).Clone() != nil {
		t.Error("the clone of nil is not nil")
	}
}

// What other stacks send in the ECDHE ClientKeyExchange: bare params, or the
// same with a length in front.
func TestClientKeyExchangeForms(t *testing.T) {
	for _, vector := range []bool{false, true} {
		client, server := testConfigs(t)
		client.CipherSuites = []uint16{ECDHE_SM4_GCM_SM3}
		c, s := tcpPair(t)
		serverConn := Server(s, server)
		done := make(chan error, 1)
		go func() { done <- serverConn.Handshake() }()
		clientConn := Client(c, client)
		err := runClient(clientConn, func(hs *clientHandshakeState) error {
			if err := hs.readServerFlight(); err != nil {
				return err
			}
			hs.sent = hs.cert.Certificate
			if err := hs.send(appendCertificate(hs.msg[:0], hs.sent)); err != nil {
				return err
			}
			agreement, err := softwareAgreer{hs.cert.EncPrivateKey.(*sm2.PrivateKey)}.NewKeyAgreement(client.rand(), false)
			if err != nil {
				return err
			}
			params := appendECDHParams(nil, agreement.EphemeralPublic())
			msg := append(beginMessage(nil, msgClientKeyExchange), params...)
			if vector {
				msg = appendVector16(beginMessage(nil, msgClientKeyExchange), params)
			}
			if err := hs.send(endMessage(msg, 0)); err != nil {
				return err
			}
			sig, err := signMessage(client.rand(), hs.cert.PrivateKey, hs.signedTranscript())
			if err != nil {
				return err
			}
			if err := hs.send(appendVectorMessage(nil, msgCertificateVerify, sig)); err != nil {
				return err
			}
			hs.preMaster = func() ([]byte, error) { return hs.agree(agreement, hs.ecdhPoint) }
			if err := hs.deriveMaster(); err != nil {
				return err
			}
			return hs.finishFull()
		})
		if serverErr := <-done; err != nil || serverErr != nil {
			t.Fatalf("vector %v: client: %v; server: %v", vector, err, serverErr)
		}
		exchange(t, clientConn, serverConn)
	}
}

// runClient runs a client's handshake up to ServerHello and lets rest do the
// remainder of a full one.
func runClient(c *Conn, rest func(*clientHandshakeState) error) error {
	c.handshakeMu.Lock()
	defer c.handshakeMu.Unlock()
	c.in.Lock()
	defer c.in.Unlock()
	hs := &clientHandshakeState{handshake: c.newHandshake(context.Background())}
	defer hs.wipe()
	err := hs.makeHello()
	if err == nil {
		err = hs.send(appendClientHello(nil, hs.hello))
	}
	if err == nil {
		err = hs.flush()
	}
	if err == nil {
		_, err = hs.readServerHello()
	}
	if err == nil {
		err = rest(hs)
	}
	if err == nil {
		c.handshakeDone.Store(true)
	}
	return err
}

// runServer reads ClientHello for a server, fixes an ECC suite and lets rest do
// the remainder.
func runServer(c *Conn, rest func(*serverHandshakeState) error) error {
	c.handshakeMu.Lock()
	defer c.handshakeMu.Unlock()
	c.in.Lock()
	defer c.in.Unlock()
	hs := &serverHandshakeState{handshake: c.newHandshake(context.Background())}
	defer hs.wipe()
	msg, err := hs.read(msgClientHello)
	if err == nil {
		err = hs.processClientHello(msg)
	}
	if err == nil {
		hs.suite = suiteByID(ECC_SM4_GCM_SM3)
		c.suite = hs.suite
		err = rest(hs)
	}
	if err == nil {
		c.handshakeDone.Store(true)
	}
	return err
}

func TestOmitExtensions(t *testing.T) {
	client, server := testConfigs(t)
	client.NextProtos, server.NextProtos = []string{"h2"}, []string{"h2"}
	client.OmitExtensions = true
	var extensions []uint16
	server.GetConfigForClient = func(info *ClientHelloInfo) (*Config, error) {
		extensions = info.Extensions
		return nil, nil
	}
	c, s := mustShake(t, client, server)
	if len(extensions) != 0 || s.ConnectionState().ServerName != "" || c.ConnectionState().NegotiatedProtocol != "" {
		t.Errorf("extensions %v, state %+v", extensions, s.ConnectionState())
	}
	client.OmitExtensions = false
	mustShake(t, client, server)
	if !slices.Equal(extensions, []uint16{extServerName, extALPN}) {
		t.Errorf("extensions %v, want server_name and ALPN alone", extensions)
	}
}

// A ClientHello like that of a stack built on OpenSSL: TLS 1.2 extensions that
// TLCP has no use for, and SCSV or renegotiation_info, which such a client wants
// answered (RFC 5746, section 3.6). Nothing else may be answered.
func TestServerHelloExtensions(t *testing.T) {
	extension := func(typ uint16, body ...byte) []byte {
		return appendVector16(binary.BigEndian.AppendUint16(nil, typ), body)
	}
	useless := bytes.Join([][]byte{
		extension(0x0a0a), extension(10, 0, 2, 0, 41), extension(11, 1, 0), extension(13, 0, 2, 7, 8),
		extension(22), extension(23), extension(35), extension(43, 2, 3, 4),
	}, nil)
	reneg := extension(extRenegotiationInfo, 0)
	for _, test := range []struct {
		name       string
		suites     []uint16
		extensions []byte
		want       []byte
	}{
		{"nothing", []uint16{ECC_SM4_GCM_SM3}, nil, nil},
		{"useless ones", []uint16{ECC_SM4_GCM_SM3}, useless, nil},
		{"SCSV", []uint16{ECC_SM4_GCM_SM3, suiteSCSV}, nil, reneg},
		{"renegotiation_info", []uint16{ECC_SM4_GCM_SM3}, append(useless, reneg...), reneg},
	} {
		_, config := testConfigs(t)
		c, s := tcpPair(t)
		go Server(s, config).Handshake()
		hello := appendClientHello(nil, &clientHello{version: VersionTLCP, random: make([]byte, randomLen), suites: test.suites})
		if test.extensions != nil {
			hello = endMessage(appendVector16(hello, test.extensions), 0)
		}
		c.Write(append([]byte{recordHandshake, 1, 1, byte(len(hello) >> 8), byte(len(hello))}, hello...))
		var header [recordHeaderLen]byte
		if _, err := io.ReadFull(c, header[:]); err != nil {
			t.Fatal(err)
		}
		msg := make([]byte, binary.BigEndian.Uint16(header[3:]))
		if _, err := io.ReadFull(c, msg); err != nil {
			t.Fatal(err)
		}
		if header[0] != recordHandshake || msg[0] != msgServerHello {
			t.Fatalf("%s: got %x %x", test.name, header, msg)
		}
		got := msg[handshakeHdrLen+2+randomLen+1+2+1:] // there is no session id
		if test.want != nil {
			test.want = appendVector16(nil, test.want)
		}
		if !bytes.Equal(got, test.want) {
			t.Errorf("%s: extensions %x, want %x", test.name, got, test.want)
		}
	}
}

func TestSingleClientCertificate(t *testing.T) {
	for _, suite := range []uint16{ECC_SM4_GCM_SM3, ECDHE_SM4_GCM_SM3} {
		client, server := testConfigs(t)
		client.CipherSuites = []uint16{suite}
		client.SingleClientCertificate = true
		_, s := mustShake(t, client, server)
		want := 1
		if suite == ECDHE_SM4_GCM_SM3 {
			want = 2 // the exchange needs both
		}
		state := s.ConnectionState()
		if got := len(state.PeerCertificates); got != want {
			t.Errorf("%s: the server got %d certificates, want %d", CipherSuiteName(suite), got, want)
		}
		if len(state.VerifiedChains) != 1 || len(state.EncVerifiedChains) != want-1 {
			t.Errorf("%s: chains %d and %d", CipherSuiteName(suite), len(state.VerifiedChains), len(state.EncVerifiedChains))
		}
	}
}

// A single certificate followed by its authority: the second is not an encryption
// certificate.
func TestSingleClientCertificateWithChain(t *testing.T) {
	client, server := testConfigs(t)
	root := newCA(t, "root", nil)
	inter := newCA(t, "intermediate", root)
	server.ClientCAs = poolOf(root)
	client.Certificates = []Certificate{inter.pair(t, "client", []*testCA{inter})}
	client.SingleClientCertificate = true
	client.GetClientCertificate = func(*CertificateRequestInfo) (*Certificate, error) { return &client.Certificates[0], nil }
	_, s := mustShake(t, client, server)
	if state := s.ConnectionState(); len(state.PeerCertificates) != 2 || len(state.VerifiedChains[0]) != 3 || state.EncVerifiedChains != nil {
		t.Errorf("state %+v", state)
	}
}

// Both ends must agree on the form of CertificateVerify; nobody guesses.
func TestRawTranscriptVerify(t *testing.T) {
	for _, clientRaw := range []bool{false, true} {
		for _, serverRaw := range []bool{false, true} {
			client, server := testConfigs(t)
			client.RawTranscriptVerify, server.RawTranscriptVerify = clientRaw, serverRaw
			if clientRaw == serverRaw {
				mustShake(t, client, server)
				continue
			}
			_, _, clientErr, serverErr := shake(t, client, server)
			wantAlert(t, serverErr, "local error", AlertDecryptError)
			wantAlert(t, clientErr, "remote error", AlertDecryptError)
		}
	}
}

// A server takes the params of a client in either form, whatever the client has been told.
func TestVectorClientParams(t *testing.T) {
	for _, vector := range []bool{false, true} {
		client, server := testConfigs(t)
		client.CipherSuites = []uint16{ECDHE_SM4_GCM_SM3}
		client.VectorClientParams = vector
		length := 0
		client.Trace = func(e TraceEvent) {
			if e.Kind == TraceHandshake && e.Sent && e.Type == msgClientKeyExchange {
				length = e.Length
			}
		}
		mustShake(t, client, server)
		if want := map[bool]int{false: 73, true: 75}[vector]; length != want {
			t.Errorf("vector %v: ClientKeyExchange has %d bytes, want %d", vector, length, want)
		}
	}
}

func TestAllowUnpairedCertificates(t *testing.T) {
	client, server := testConfigs(t)
	ca := newCA(t, "root", nil)
	client.RootCAs = poolOf(ca)
	pair := ca.pair(t, testName, nil)
	other := ca.pair(t, testName, nil, func(c *smx509.Certificate) { c.Subject.CommonName = "other" })
	pair.Certificate[1], pair.EncPrivateKey, pair.EncLeaf = other.Certificate[1], other.EncPrivateKey, other.EncLeaf
	server.Certificates = []Certificate{pair}
	_, _, clientErr, serverErr := shake(t, client, server)
	if !errors.Is(clientErr, gmx509.ErrUnpaired) {
		t.Errorf("client: %v", clientErr)
	}
	wantAlert(t, serverErr, "remote error", AlertBadCertificate)
	client.AllowUnpairedCertificates = true
	mustShake(t, client, server)
}

func TestCertificateBySNI(t *testing.T) {
	client, server := testConfigs(t)
	ca := newCA(t, "root", nil)
	client.RootCAs = poolOf(ca)
	names := []string{"a.test", "b.test", "c.test"}
	server.Certificates = nil
	for _, name := range names {
		server.Certificates = append(server.Certificates, ca.pair(t, name, nil))
	}
	server.Certificates[1].Leaf = nil // is parsed
	for i, name := range names {
		client.ServerName = name
		c, _ := mustShake(t, client, server)
		if got := c.ConnectionState().PeerCertificates[0]; !bytes.Equal(got.Raw, server.Certificates[i].Certificate[0]) {
			t.Errorf("%s: got the certificate of %s", name, got.Subject)
		}
	}
	client.ServerName, client.InsecureSkipVerify = "z.test", true
	c, _ := mustShake(t, client, server)
	if got := c.ConnectionState().PeerCertificates[0]; !bytes.Equal(got.Raw, server.Certificates[0].Certificate[0]) {
		t.Error("an unknown name does not get the first certificate")
	}
}

func TestGetCertificate(t *testing.T) {
	client, server := testConfigs(t)
	pair := server.Certificates[0]
	server.Certificates = nil
	server.GetCertificate = func(info *ClientHelloInfo) (*Certificate, error) {
		if info.ServerName != testName || info.Conn == nil || info.Context() == nil ||
			!slices.Equal(info.SupportedVersions, []uint16{VersionTLCP}) || len(info.CipherSuites) != 4 {
			t.Errorf("info %+v", info)
		}
		return &pair, nil
	}
	mustShake(t, client, server)

	refused := errors.New("refused")
	server.GetCertificate = func(*ClientHelloInfo) (*Certificate, error) { return nil, refused }
	_, _, clientErr, serverErr := shake(t, client, server)
	if !errors.Is(serverErr, refused) {
		t.Errorf("server: %v", serverErr)
	}
	wantAlert(t, clientErr, "remote error", AlertInternalError)

	for _, broken := range []*Certificate{nil, {Certificate: pair.Certificate[:1], PrivateKey: pair.PrivateKey, EncPrivateKey: pair.EncPrivateKey},
		{Certificate: pair.Certificate, PrivateKey: pair.PrivateKey}} {
		server.GetCertificate = func(*ClientHelloInfo) (*Certificate, error) { return broken, nil }
		_, _, clientErr, serverErr = shake(t, client, server)
		wantAlert(t, clientErr, "remote error", AlertInternalError)
		wantAlert(t, serverErr, "local error", AlertInternalError)
	}
}

func TestGetClientCertificate(t *testing.T) {
	client, server := testConfigs(t)
	pair := client.Certificates[0]
	client.Certificates = nil
	client.GetClientCertificate = func(info *CertificateRequestInfo) (*Certificate, error) {
		if info.Version != VersionTLCP || info.CipherSuite != ECC_SM4_GCM_SM3 || info.Context() == nil ||
			len(info.AcceptableCAs) != 1 || !bytes.Equal(info.AcceptableCAs[0], server.ClientCAs.Subjects()[0]) {
			t.Errorf("info %+v", info)
		}
		return &pair, nil
	}
	_, s := mustShake(t, client, server)
	if len(s.ConnectionState().PeerCertificates) != 2 {
		t.Error("the server got no pair")
	}
	client.GetClientCertificate = func(*CertificateRequestInfo) (*Certificate, error) { return new(Certificate), nil }
	_, _, _, serverErr := shake(t, client, server)
	wantAlert(t, serverErr, "local error", AlertHandshakeFailure)

	refused := errors.New("refused")
	for _, err := range []error{refused, nil} {
		client.GetClientCertificate = func(*CertificateRequestInfo) (*Certificate, error) { return nil, err }
		_, _, clientErr, serverErr := shake(t, client, server)
		if err != nil && !errors.Is(clientErr, err) {
			t.Errorf("client: %v", clientErr)
		}
		wantAlert(t, clientErr, "local error", AlertInternalError)
		wantAlert(t, serverErr, "remote error", AlertInternalError)
	}
}

// The client takes the pair that the server's authorities issued, and none if
// there is no such pair.
func TestClientCertificateByAuthority(t *testing.T) {
	client, server := testConfigs(t)
	ca, other := newCA(t, "wanted", nil), newCA(t, "unwanted", nil)
	inter := newCA(t, "intermediate", ca)
	server.ClientCAs = poolOf(ca)
	wanted := inter.pair(t, "client", []*testCA{inter})
	wanted.Leaf, wanted.EncLeaf = nil, nil // are parsed
	client.Certificates = []Certificate{other.pair(t, "client", nil), wanted}
	_, s := mustShake(t, client, server)
	if got := s.ConnectionState().PeerCertificates; !bytes.Equal(got[0].Raw, wanted.Certificate[0]) {
		t.Error("the client sent the wrong pair")
	}
	client.Certificates = client.Certificates[:1]
	_, _, _, serverErr := shake(t, client, server)
	wantAlert(t, serverErr, "local error", AlertHandshakeFailure)
}

func TestGetConfigForClient(t *testing.T) {
	client, server := testConfigs(t)
	inner := server.Clone()
	inner.NextProtos, inner.CipherSuites = []string{"x"}, []uint16{ECC_SM4_CBC_SM3}
	outer := &Config{GetConfigForClient: func(info *ClientHelloInfo) (*Config, error) {
		if info.ServerName == testName {
			return inner, nil
		}
		return nil, errors.New("unknown name")
	}}
	client.NextProtos = []string{"x"}
	c, _ := mustShake(t, client, outer)
	if state := c.ConnectionState(); state.CipherSuite != ECC_SM4_CBC_SM3 || state.NegotiatedProtocol != "x" {
		t.Errorf("state %+v", state)
	}
	client.ServerName = "other.test"
	_, _, clientErr, serverErr := shake(t, client, outer)
	wantAlert(t, clientErr, "remote error", AlertInternalError)
	wantAlert(t, serverErr, "local error", AlertInternalError)
}

func TestSuiteSelection(t *testing.T) {
	const (
		eccGCM, eccCBC     = ECC_SM4_GCM_SM3, ECC_SM4_CBC_SM3
		ecdheGCM, ecdheCBC = ECDHE_SM4_GCM_SM3, ECDHE_SM4_CBC_SM3
	)
	for _, test := range []struct {
		name           string
		offered        []uint16
		config         Config
		want           uint16 // 0: none
		forClientOrder bool
	}{
		{"client's order", []uint16{eccCBC, eccGCM}, Config{}, eccCBC, true},
		{"server's order", []uint16{eccCBC, eccGCM}, Config{PreferServerCipherSuites: true}, eccGCM, false},
		{"ECDHE where clients are asked", []uint16{ecdheGCM, eccGCM}, Config{ClientAuth: RequestClientCert}, ecdheGCM, false},
		{"no ECDHE where clients are not asked", []uint16{ecdheGCM, eccGCM}, Config{}, eccGCM, false},
		{"only ECDHE where clients are not asked", []uint16{ecdheGCM}, Config{}, 0, false},
		{"ECDHE on demand", []uint16{ecdheCBC}, Config{CipherSuites: []uint16{ecdheCBC}}, ecdheCBC, false},
		{"unknown ones are skipped", []uint16{0xc02f, suiteSCSV, 0xe003, eccGCM}, Config{}, eccGCM, false},
		{"nothing in common", []uint16{eccGCM}, Config{CipherSuites: []uint16{eccCBC}}, 0, false},
		{"unknown in the configuration", []uint16{0xe003}, Config{CipherSuites: []uint16{0xe003}}, 0, false},
	} {
		var got uint16
		if s := test.config.serverSuite(test.offered, true); s != nil {
			got = s.id
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, CipherSuiteName(got), CipherSuiteName(test.want))
		}
	}
	pair := []Certificate{{Certificate: [][]byte{{1}, {2}}, EncPrivateKey: unfitKey{}}}
	getter := func(*CertificateRequestInfo) (*Certificate, error) { return nil, nil }
	for _, test := range []struct {
		name   string
		config Config
		want   []uint16
	}{
		{"no pair", Config{}, []uint16{eccGCM, eccCBC}},
		{"pair", Config{Certificates: pair}, []uint16{eccGCM, ecdheGCM, eccCBC, ecdheCBC}},
		{"callback", Config{GetClientCertificate: getter}, []uint16{eccGCM, eccCBC}},
		{"callback and explicit", Config{GetClientCertificate: getter, CipherSuites: []uint16{ecdheGCM}}, []uint16{ecdheGCM}},
		{"explicit without pair", Config{CipherSuites: []uint16{ecdheGCM}}, []uint16{}},
		{"duplicates and unknown", Config{CipherSuites: []uint16{eccCBC, 1, eccCBC}}, []uint16{eccCBC}},
	} {
		if got := test.config.clientSuites(); !slices.Equal(got, test.want) {
			t.Errorf("client, %s: %x, want %x", test.name, got, test.want)
		}
	}
}

// deviceKey keeps an SM2 key behind the interfaces, as a device would.
type deviceKey struct {
	key  *sm2.PrivateKey
	mu   sync.Mutex
	uses []string
}

func (d *deviceKey) note(use string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uses = append(d.uses, use)
}

func (d *deviceKey) Public() crypto.PublicKey { return &d.key.PublicKey }

func (d *deviceKey) Sign(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	d.note("sign")
	return d.key.Sign(rand, msg, opts)
}

func (d *deviceKey) Decrypt(rand io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	d.note("decrypt")
	return d.key.Decrypt(rand, msg, opts)
}

func (d *deviceKey) NewKeyAgreement(rand io.Reader, initiator bool) (SM2KeyAgreement, error) {
	d.note("agree")
	return softwareAgreer{d.key}.NewKeyAgreement(rand, initiator)
}

func TestKeysInDevices(t *testing.T) {
	for _, suite := range []uint16{ECC_SM4_GCM_SM3, ECDHE_SM4_GCM_SM3} {
		client, server := testConfigs(t)
		client.CipherSuites = []uint16{suite}
		var keys [4]*deviceKey
		for i, cert := range []*Certificate{&client.Certificates[0], &server.Certificates[0]} {
			keys[2*i] = &deviceKey{key: cert.PrivateKey.(*sm2.PrivateKey)}
			keys[2*i+1] = &deviceKey{key: cert.EncPrivateKey.(*sm2.PrivateKey)}
			cert.PrivateKey, cert.EncPrivateKey = keys[2*i], keys[2*i+1]
		}
		mustShake(t, client, server)
		want := [4]string{"sign", "", "sign", "decrypt"}
		if suite == ECDHE_SM4_GCM_SM3 {
			want = [4]string{"sign", "agree", "sign", "agree"}
		}
		for i, key := range keys {
			if got := strings.Join(key.uses, " "); got != want[i] {
				t.Errorf("%s: key %d was used to %q, want %q", CipherSuiteName(suite), i, got, want[i])
			}
		}
	}
}

// unfitKey is not a key at all, or one that fails.
type unfitKey struct{ err error }

func (k unfitKey) Public() crypto.PublicKey { return &ecdsa.PublicKey{} }

func (k unfitKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, k.err }

func (k unfitKey) NewKeyAgreement(io.Reader, bool) (SM2KeyAgreement, error) { return nil, k.err }

func TestUnfitKeys(t *testing.T) {
	broken := errors.New("the device is gone")
	for _, test := range []struct {
		name   string
		suite  uint16
		change func(client, server *Certificate)
		server bool // which end fails
	}{
		{"server's signing key does not sign", ECC_SM4_GCM_SM3, func(_, s *Certificate) { s.PrivateKey = 1 }, true},
		{"server's signing key fails", ECC_SM4_GCM_SM3, func(_, s *Certificate) { s.PrivateKey = unfitKey{broken} }, true},
		{"server's encryption key does not decrypt", ECC_SM4_GCM_SM3, func(_, s *Certificate) { s.EncPrivateKey = 1 }, true},
		{"server's encryption key fails", ECDHE_SM4_GCM_SM3, func(_, s *Certificate) { s.EncPrivateKey = unfitKey{broken} }, true},
		{"client's signing key does not sign", ECC_SM4_GCM_SM3, func(c, _ *Certificate) { c.PrivateKey = 1 }, false},
		{"client's signing key fails", ECC_SM4_GCM_SM3, func(c, _ *Certificate) { c.PrivateKey = unfitKey{broken} }, false},
		{"client's encryption key fails", ECDHE_SM4_GCM_SM3, func(c, _ *Certificate) { c.EncPrivateKey = unfitKey{broken} }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, server := testConfigs(t)
			client.CipherSuites = []uint16{test.suite}
			test.change(&client.Certificates[0], &server.Certificates[0])
			_, _, clientErr, serverErr := shake(t, client, server)
			if test.server {
				clientErr, serverErr = serverErr, clientErr
			}
			wantAlert(t, clientErr, "local error", AlertInternalError)
			wantAlert(t, serverErr, "remote error", AlertInternalError)
		})
	}
}

// A client must not be able to tell why its ClientKeyExchange failed: a
// ciphertext that is garbage, one for another key, and one of a secret with a
// wrong version or length all end the same way.
func TestClientKeyExchangeFailuresLookAlike(t *testing.T) {
	encrypt := func(pub *ecdsa.PublicKey, secret []byte) []byte {
		ciphertext, err := sm2.EncryptASN1((&Config{}).rand(), pub, secret)
		if err != nil {
			t.Fatal(err)
		}
		return ciphertext
	}
	good := append([]byte{1, 1}, make([]byte, 46)...)
	other := newKey(t)
	for _, test := range []struct {
		name string
		make func(pub *ecdsa.PublicKey) []byte
	}{
		{"garbage", func(*ecdsa.PublicKey) []byte { return []byte("garbage") }},
		{"another key", func(*ecdsa.PublicKey) []byte { return encrypt(&other.PublicKey, good) }},
		{"tampered", func(pub *ecdsa.PublicKey) []byte { c := encrypt(pub, good); c[len(c)-1] ^= 1; return c }},
		{"wrong version", func(pub *ecdsa.PublicKey) []byte { return encrypt(pub, append([]byte{3, 3}, good[2:]...)) }},
		{"too short", func(pub *ecdsa.PublicKey) []byte { return encrypt(pub, good[:47]) }},
		{"too long", func(pub *ecdsa.PublicKey) []byte { return encrypt(pub, append(good, 0)) }},
	} {
		client, server := testConfigs(t)
		c, s := tcpPair(t)
		done := make(chan error, 1)
		go func() { done <- Server(s, server).Handshake() }()
		err := runClient(Client(c, client), func(hs *clientHandshakeState) error {
			if err := hs.readServerFlight(); err != nil {
				return err
			}
			hs.sent = hs.cert.Certificate
			if err := hs.send(appendCertificate(nil, hs.sent)); err != nil {
				return err
			}
			if err := hs.send(appendVectorMessage(nil, msgClientKeyExchange, test.make(hs.c.peer.enc))); err != nil {
				return err
			}
			sig, err := signMessage(client.rand(), hs.cert.PrivateKey, hs.signedTranscript())
			if err != nil {
				return err
			}
			if err := hs.send(appendVectorMessage(nil, msgCertificateVerify, sig)); err != nil {
				return err
			}
			hs.keys.setPreMaster(bytes.Clone(good), hs.clientRandom[:], hs.serverRandom[:])
			return hs.finishFull()
		})
		wantAlert(t, err, "remote error", AlertBadRecordMAC)
		serverErr := <-done
		wantAlert(t, serverErr, "local error", AlertBadRecordMAC)
		if want := "gmtls: a record did not authenticate"; serverErr.Error() != want {
			t.Errorf("%s: the server says %q", test.name, serverErr)
		}
	}
}

func TestInsecureSkipVerify(t *testing.T) {
	client, server := testConfigs(t)
	client.RootCAs, client.ServerName, client.InsecureSkipVerify = nil, "", true
	asked := false
	client.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
		asked = len(raw) == 2 && chains == nil
		return nil
	}
	c, _ := mustShake(t, client, server)
	if !asked || c.ConnectionState().VerifiedChains != nil {
		t.Error("the callback was not asked, or chains appeared")
	}
	if err := c.VerifyHostname(testName); err != errNotVerified {
		t.Errorf("VerifyHostname: %v", err)
	}
}

func TestVerifyHostname(t *testing.T) {
	client, server := testConfigs(t)
	c, s := mustShake(t, client, server)
	if err := c.VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
	if err := c.VerifyHostname("other.test"); err == nil {
		t.Error("a name passes that the certificates do not have")
	}
	if err := s.VerifyHostname(testName); err != errNotOnServer {
		t.Errorf("server: %v", err)
	}
	if err := Client(nil, client).VerifyHostname(testName); err != errNoHandshake {
		t.Errorf("before the handshake: %v", err)
	}
}

func TestKeyLog(t *testing.T) {
	client, server := testConfigs(t)
	var clientLog, serverLog bytes.Buffer
	client.KeyLogWriter, server.KeyLogWriter = &clientLog, &serverLog
	mustShake(t, client, server)
	fields := strings.Fields(clientLog.String())
	if clientLog.String() != serverLog.String() || len(fields) != 3 || fields[0] != "CLIENT_RANDOM" {
		t.Fatalf("client wrote %q, server %q", clientLog.String(), serverLog.String())
	}
	for i, size := range []int{32, 48} {
		if b, err := hex.DecodeString(fields[i+1]); err != nil || len(b) != size {
			t.Errorf("field %d: %d bytes, %v", i+1, len(b), err)
		}
	}
	server.KeyLogWriter = failingWriter{}
	_, _, clientErr, serverErr := shake(t, client, server)
	wantAlert(t, serverErr, "local error", AlertInternalError)
	wantAlert(t, clientErr, "remote error", AlertInternalError)
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestClientConfigErrors(t *testing.T) {
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{}, "ServerName"},
		{Config{ServerName: "x", CipherSuites: []uint16{}}, "CipherSuites"},
		{Config{ServerName: "x", NextProtos: []string{""}}, "NextProtos"},
		{Config{ServerName: "x", NextProtos: []string{strings.Repeat("x", 256)}}, "NextProtos"},
		{Config{ServerName: "x", NextProtos: slices.Repeat([]string{"protocol"}, 8<<10)}, "NextProtos"},
		{Config{ServerName: "x", Rand: strings.NewReader("")}, "randomness"},
	} {
		c, _ := tcpPair(t)
		if err := Client(c, &test.config).Handshake(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want an error about %s", err, test.want)
		}
	}
}

func TestSNIName(t *testing.T) {
	for name, want := range map[string]string{
		"a.test": "a.test", "a.test.": "a.test", "127.0.0.1": "", "::1": "", "[::1]": "", "fe80::1%eth0": "",
		"": "", strings.Repeat("x", 256): "",
	} {
		if got := sniName(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// An IP address is verified against the certificates' addresses.
func TestServerNameIsAddress(t *testing.T) {
	client, server := testConfigs(t)
	client.ServerName = "127.0.0.1"
	_, s := mustShake(t, client, server)
	if name := s.ConnectionState().ServerName; name != "" {
		t.Errorf("the address was sent as the name %q", name)
	}
}

func TestDialAndListen(t *testing.T) {
	client, server := testConfigs(t)
	l, err := Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	addr := l.Addr().String()
	client.ServerName = "" // the host of the address
	dialers := map[string]func() (net.Conn, error){
		"Dial": func() (net.Conn, error) { return Dial("tcp", addr, client) },
		"DialWithDialer": func() (net.Conn, error) {
			return DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, client)
		},
		"Dialer.Dial": func() (net.Conn, error) { return (&Dialer{Config: client}).Dial("tcp", addr) },
		"deadline": func() (net.Conn, error) {
			d := &net.Dialer{Deadline: time.Now().Add(10 * time.Second), Timeout: time.Minute}
			return (&Dialer{NetDialer: d, Config: client}).Dial("tcp", addr)
		},
	}
	for name, dial := range dialers {
		conn, err := dial()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		buf := []byte("hello")
		if _, err := conn.Write(buf); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "hello" {
			t.Errorf("%s: %q, %v", name, buf, err)
		}
		if conn.LocalAddr() == nil || conn.RemoteAddr().String() != addr {
			t.Errorf("%s: addresses %v, %v", name, conn.LocalAddr(), conn.RemoteAddr())
		}
		conn.Close()
	}
	if _, err := Dial("tcp", addr, nil); err == nil {
		t.Error("Dial without roots succeeds")
	}
	if conn, err := (&Dialer{}).Dial("tcp", "no port"); err == nil || conn != nil {
		t.Errorf("an address without a port: %v, %v", conn, err)
	}
	l.Close()
	<-done
	if _, err := Dial("tcp", addr, client); err == nil {
		t.Error("Dial to a closed port succeeds")
	}
	if _, err := Listen("tcp", "127.0.0.1:0", nil); err == nil {
		t.Error("Listen without a certificate succeeds")
	}
	if _, err := Listen("tcp", "no port", server); err == nil {
		t.Error("Listen on a bad address succeeds")
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		CipherSuiteName(ECC_SM4_GCM_SM3):              "ECC_SM4_GCM_SM3",
		CipherSuiteName(GMTLS_ECDHE_SM2_WITH_SM4_SM3): "ECDHE_SM4_CBC_SM3",
		CipherSuiteName(0x1a2b):                       "0x1A2B",
		VersionName(VersionTLCP):                      "TLCP 1.1",
		VersionName(0x0303):                           "0x0303",
		RequireAnyClientCert.String():                 "RequireAnyClientCert",
		ClientAuthType(9).String():                    "ClientAuthType(9)",
		AlertIdentityNeed.Error():                     "gmtls: identity needed",
		AlertError(250).Error():                       "gmtls: alert(250)",
		recordTypeName(9):                             "unknown",
		handshakeTypeName(99):                         "unknown",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if n := len(CipherSuites()); n != 4 {
		t.Errorf("%d suites", n)
	}
}

// No authorities are none, and not those of the system.
func TestSystemRootsAreNotUsed(t *testing.T) {
	ca := newCA(t, "root of the system", nil)
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, certPEM(ca.cert.Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
	t.Setenv("SSL_CERT_DIR", t.TempDir())
	client, server := testConfigs(t)
	server.Certificates, server.ClientCAs = []Certificate{ca.pair(t, testName, nil)}, nil
	client.Certificates, client.RootCAs = []Certificate{ca.pair(t, "client.test", nil)}, nil
	_, _, clientErr, _ := shake(t, client, server)
	var unknown smx509.UnknownAuthorityError
	if !errors.As(clientErr, &unknown) {
		t.Errorf("client: %v", clientErr)
	}
	client.InsecureSkipVerify = true
	if _, _, _, serverErr := shake(t, client, server); !errors.As(serverErr, &unknown) {
		t.Errorf("server: %v", serverErr)
	}
}

// An encryption key that cannot agree, as in a device, leaves the ECDHE suites out, and says so where nothing else is left.
func TestKeysThatDoNotAgree(t *testing.T) {
	t.Run("server", func(t *testing.T) {
		client, server := testConfigs(t)
		client.CipherSuites = []uint16{ECDHE_SM4_GCM_SM3}
		server.Certificates[0].EncPrivateKey = 1
		_, _, clientErr, serverErr := shake(t, client, server)
		if serverErr == nil || !strings.Contains(serverErr.Error(), "need the encryption key in software") {
			t.Errorf("server: %v", serverErr)
		}
		wantAlert(t, clientErr, "remote error", AlertHandshakeFailure)
	})
	t.Run("client", func(t *testing.T) {
		client, server := testConfigs(t)
		client.CipherSuites = []uint16{ECDHE_SM4_GCM_SM3}
		client.Certificates[0].EncPrivateKey = 1
		_, _, clientErr, serverErr := shake(t, client, server)
		if clientErr == nil || !strings.Contains(clientErr.Error(), "no suite that this client can use") {
			t.Errorf("client: %v", clientErr)
		}
		if serverErr == nil {
			t.Error("the server has no error")
		}
	})
}
