// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

type serverHandshakeState struct {
	*handshake
	hello     *clientHello
	info      *ClientHelloInfo
	cert      *Certificate
	session   *session // being resumed; nil: full handshake
	sessionID []byte   // that the client may resume later; empty: none

	agreement SM2KeyAgreement // ECDHE suites
	askCert   bool            // ask the client for a certificate
	needCert  bool            // and refuse it without one
}

func (c *Conn) serverHandshake(ctx context.Context) error {
	h := c.newHandshake(ctx)
	msg, err := h.read(msgClientHello)
	if err != nil {
		return err
	}
	if c.version == VersionTLS13 { // by the first record
		return c.serverHandshake13(h, msg)
	}
	hs := &serverHandshakeState{handshake: h}
	defer hs.wipe()
	if err := hs.processClientHello(msg); err != nil {
		return err
	}
	if hs.findSession() {
		return hs.resume()
	}
	return hs.full()
}

func (hs *serverHandshakeState) processClientHello(msg []byte) error {
	c := hs.c
	hello, ok := parseClientHello(msg[handshakeHdrLen:])
	if !ok {
		return decodeError(msgClientHello)
	}
	hs.hello = hello
	switch {
	case hello.version != VersionTLCP:
		return failf(AlertProtocolVersion, "the client offers the version %s", VersionName(hello.version))
	case len(hello.suites) == 0:
		return failf(AlertHandshakeFailure, "the client offers no cipher suite")
	case !slices.Contains(hello.compressions, compressionNone):
		return failf(AlertIllegalParameter, "the client does not offer to go without compression")
	}
	copy(hs.clientRandom[:], hello.random)
	c.serverName = hello.serverName
	var err error
	if hs.info, err = hs.configure(hello, []uint16{hello.version}); err != nil {
		return err
	}
	hs.add(msg)
	if err := hs.chooseProtocol(hello.protocols); err != nil {
		return err
	}
	return hs.fillRandom(hs.serverRandom[:])
}

// configure lets the application choose another configuration for the client.
func (h *handshake) configure(hello *clientHello, versions []uint16) (*ClientHelloInfo, error) {
	c := h.c
	info := &ClientHelloInfo{
		CipherSuites:      hello.suites,
		ServerName:        hello.serverName,
		SupportedProtos:   hello.protocols,
		SupportedVersions: versions,
		Extensions:        hello.extensions,
		Conn:              c.conn,
		ctx:               h.ctx,
	}
	if get := c.config.GetConfigForClient; get != nil {
		config, err := get(info)
		if err != nil {
			return nil, internal(fmt.Errorf("GetConfigForClient: %w", err))
		}
		if config != nil {
			c.config = config
			h.keepRaw = config.RawTranscriptVerify
		}
	}
	if !c.config.speaks(c.version) {
		return nil, failf(AlertProtocolVersion, "the configuration for this client does not have %s", VersionName(c.version))
	}
	return info, nil
}

// chooseProtocol negotiates the application protocol (RFC 7301, section 3.2).
func (h *handshake) chooseProtocol(offered []string) error {
	own := h.c.config.NextProtos
	if len(own) == 0 || len(offered) == 0 {
		return nil
	}
	for _, p := range own {
		if slices.Contains(offered, p) {
			h.c.protocol = p
			return nil
		}
	}
	return failf(AlertNoApplicationProtocol, "none of the %d application protocols that the client offers is in Config.NextProtos %q", len(offered), own)
}

// findSession decides whether the session that the client names is resumed.
func (hs *serverHandshakeState) findSession() bool {
	c := hs.c
	if len(hs.hello.sessionID) == 0 {
		return false
	}
	s := c.findServerSession(string(hs.hello.sessionID), hs.hello.serverName)
	if s == nil || !slices.Contains(hs.hello.suites, s.suite) {
		return false
	}
	hs.session = s
	hs.suite = suiteByID(s.suite)
	c.suite = hs.suite
	c.takeSession(s)
	return true
}

// findServerSession returns the session with the identifier if it holds under
// the present configuration for a client that asks for serverName, or nil.
func (c *Conn) findServerSession(id, serverName string) *session {
	config := c.config
	if config.SessionTicketsDisabled || config.ServerSessionCache == nil {
		return nil
	}
	state, ok := config.ServerSessionCache.Get(id)
	if !ok || state == nil || state.session == nil {
		return nil
	}
	s := state.session
	if s.expired(config, config.now()) {
		config.ServerSessionCache.Put(id, nil)
		return nil
	}
	if s.version() != c.version || !s.resumableByServer(config, serverName) {
		return nil
	}
	if s.verified && s.peer != nil {
		if _, err := c.identify(s.peer.raw, c.trust()); err != nil {
			return nil
		}
	}
	return s
}

// takeSession makes what a server knows of a session that of the connection.
func (c *Conn) takeSession(s *session) {
	c.didResume, c.peer, c.serverName = true, s.peer, s.serverName
	cache, id := c.config.ServerSessionCache, string(s.id)
	c.dropper = func() { cache.Put(id, nil) }
}

func (hs *serverHandshakeState) sendHello(sessionID []byte) error {
	return hs.send(appendServerHello(hs.msg[:0], &serverHello{
		version:     VersionTLCP,
		random:      hs.serverRandom[:],
		sessionID:   sessionID,
		suite:       hs.suite.id,
		compression: compressionNone,
		protocol:    hs.c.protocol,
		secureReneg: hs.hello.secureReneg,
	}))
}

// resume runs the rest of an abbreviated handshake (6.4.4).
func (hs *serverHandshakeState) resume() error {
	c := hs.c
	hs.keys.setMaster(&hs.session.master)
	if err := c.consultCallbacks(); err != nil {
		return err
	}
	if err := hs.keepKeys(); err != nil {
		return err
	}
	clientCipher, serverCipher, err := hs.keys.protection(hs.suite, hs.clientRandom[:], hs.serverRandom[:])
	if err != nil {
		return internal(err)
	}
	if err := hs.sendHello(hs.session.id); err != nil {
		return err
	}
	if err := hs.sendFinished(labelServer, serverCipher); err != nil {
		return err
	}
	if err := hs.flush(); err != nil {
		return err
	}
	return hs.readFinished(labelClient, clientCipher)
}

// full runs the rest of a handshake that makes a new session.
func (hs *serverHandshakeState) full() error {
	if err := hs.prepare(); err != nil {
		return err
	}
	if err := hs.sendFlight(); err != nil {
		return err
	}
	if err := hs.readClientFlight(); err != nil {
		return err
	}
	if err := hs.keepKeys(); err != nil {
		return err
	}
	clientCipher, serverCipher, err := hs.keys.protection(hs.suite, hs.clientRandom[:], hs.serverRandom[:])
	if err != nil {
		return internal(err)
	}
	if err := hs.readFinished(labelClient, clientCipher); err != nil {
		return err
	}
	if err := hs.sendFinished(labelServer, serverCipher); err != nil {
		return err
	}
	hs.saveSession() // before the client can know that the handshake is complete
	return hs.flush()
}

// prepare chooses the suite, the certificate and the session identifier.
func (hs *serverHandshakeState) prepare() error {
	c := hs.c
	config := c.config
	if hs.suite = config.serverSuite(hs.hello.suites, true); hs.suite == nil {
		return failf(AlertHandshakeFailure, "no cipher suite in common with the client, which offers %s", suiteNames(hs.hello.suites))
	}
	c.suite = hs.suite
	var err error
	if hs.cert, err = config.serverCertificate(hs.info); err != nil {
		return err
	}
	if len(hs.cert.Certificate) < 2 || hs.cert.PrivateKey == nil || hs.cert.EncPrivateKey == nil {
		return internal(errors.New("the server's Certificate lacks one of its two certificates or keys"))
	}
	if hs.suite.ecdhe && !CanAgree(hs.cert.EncPrivateKey) {
		if hs.suite = config.serverSuite(hs.hello.suites, false); hs.suite == nil {
			return failf(AlertHandshakeFailure, "the client offers %s; the ECDHE suites among them need the encryption key in software", suiteNames(hs.hello.suites))
		}
		c.suite = hs.suite
	}
	hs.askCert = config.ClientAuth != NoClientCert || hs.suite.ecdhe
	hs.needCert = config.ClientAuth.demanded() || hs.suite.ecdhe
	if config.ServerSessionCache != nil && !config.SessionTicketsDisabled {
		hs.sessionID = make([]byte, maxSessionIDLen)
		if _, err := io.ReadFull(config.rand(), hs.sessionID); err != nil {
			return internal(fmt.Errorf("reading randomness: %w", err))
		}
	}
	return nil
}

// serverSuite returns the suite to use with a client that offers these, or nil;
// none with key agreement unless agree is true.
func (c *Config) serverSuite(offered []uint16, agree bool) *suite {
	first, second := offered, c.suites(VersionTLCP)
	if c.PreferServerCipherSuites {
		first, second = second, first
	}
	for _, id := range first {
		s := suiteByID(id)
		if s == nil || !slices.Contains(second, id) || s.ecdhe && !agree {
			continue
		}
		if s.ecdhe && c.ClientAuth == NoClientCert && c.CipherSuites == nil {
			continue
		}
		return s
	}
	return nil
}

func suiteNames(ids []uint16) string {
	const most = 8
	text := ""
	for i, id := range ids {
		if i == most {
			return text + ", ..."
		}
		if i > 0 {
			text += ", "
		}
		text += CipherSuiteName(id)
	}
	return text
}

// serverCertificate chooses what to present.
func (c *Config) serverCertificate(info *ClientHelloInfo) (*Certificate, error) {
	var cert *Certificate
	if c.GetCertificate != nil {
		var err error
		if cert, err = c.GetCertificate(info); err != nil {
			return nil, internal(fmt.Errorf("GetCertificate: %w", err))
		}
	}
	if cert == nil {
		cert = c.certificateFor(info.ServerName)
	}
	if cert == nil {
		return nil, fail(AlertInternalError, errNoCertificate)
	}
	return cert, nil
}

// clientAuthorities returns the names of the authorities that clients are asked for.
func (c *Config) clientAuthorities() [][]byte {
	if c.ClientCAs == nil {
		return nil
	}
	return c.ClientCAs.Subjects()
}

// certificateFor returns the first pair that is valid for the name, else the
// first of all.
func (c *Config) certificateFor(name string) *Certificate {
	if len(c.Certificates) == 0 {
		return nil
	}
	if len(c.Certificates) > 1 && name != "" {
		for i := range c.Certificates {
			cert := &c.Certificates[i]
			if leaf := cert.leaf(); leaf != nil && leaf.VerifyHostname(name) == nil {
				return cert
			}
		}
	}
	return &c.Certificates[0]
}

// leaf returns the parsed signing certificate, nil if it does not parse.
func (c *Certificate) leaf() *x509.Certificate {
	if c.Leaf != nil || len(c.Certificate) == 0 {
		return c.Leaf
	}
	cert, err := gmx509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil
	}
	return cert
}

// sendFlight sends from ServerHello to ServerHelloDone.
func (hs *serverHandshakeState) sendFlight() error {
	if err := hs.sendHello(hs.sessionID); err != nil {
		return err
	}
	if err := hs.send(appendCertificate(hs.msg[:0], hs.cert.Certificate)); err != nil {
		return err
	}
	if err := hs.sendServerKeys(); err != nil {
		return err
	}
	if hs.askCert {
		if err := hs.send(appendCertificateRequest(hs.msg[:0], hs.c.config.clientAuthorities())); err != nil {
			return err
		}
	}
	if err := hs.send(beginMessage(hs.msg[:0], msgServerHelloDone)); err != nil {
		return err
	}
	return hs.flush()
}

// sendServerKeys sends ServerKeyExchange (6.4.5.4).
func (hs *serverHandshakeState) sendServerKeys() error {
	random := hs.c.config.rand()
	signed := hs.cert.Certificate[1]
	if hs.suite.ecdhe {
		agreer, err := keyAgreer(hs.cert.EncPrivateKey)
		if err != nil {
			return internal(err)
		}
		if hs.agreement, err = agreer.NewKeyAgreement(random, true); err != nil {
			return internal(err)
		}
		signed = appendECDHParams(nil, hs.agreement.EphemeralPublic())
	}
	msg := exchangeMessage(hs.suite, hs.clientRandom[:], hs.serverRandom[:], signed)
	sig, err := signMessage(random, hs.cert.PrivateKey, msg)
	if err != nil {
		return internal(err)
	}
	b := beginMessage(hs.msg[:0], msgServerKeyExchange)
	if hs.suite.ecdhe {
		b = append(b, signed...)
	}
	return hs.send(endMessage(appendVector16(b, sig), 0))
}

// readClientFlight reads from Certificate, if it was asked for, to
// CertificateVerify, and derives the master secret.
func (hs *serverHandshakeState) readClientFlight() error {
	if hs.askCert {
		if err := hs.readCertificate(); err != nil {
			return err
		}
	}
	if hs.c.peer == nil {
		if err := hs.c.consultCallbacks(); err != nil {
			return err
		}
	}
	msg, err := hs.read(msgClientKeyExchange)
	if err != nil {
		return err
	}
	hs.add(msg)
	if err := hs.processClientKeys(msg[handshakeHdrLen:]); err != nil {
		return err
	}
	if hs.c.peer != nil {
		if err := hs.readCertificateVerify(); err != nil {
			return err
		}
	}
	return hs.deriveMaster()
}

func (hs *serverHandshakeState) readCertificateVerify() error {
	msg, err := hs.read(msgCertificateVerify)
	if err != nil {
		return err
	}
	sig, ok := parseVectorMessage(msg[handshakeHdrLen:])
	if !ok {
		return decodeError(msgCertificateVerify)
	}
	if err := hs.verifySignature("CertificateVerify", hs.signedTranscript(), sig); err != nil {
		return err
	}
	hs.add(msg)
	return nil
}

func (hs *serverHandshakeState) readCertificate() error {
	msg, err := hs.read(msgCertificate)
	if err != nil {
		return err
	}
	certs, ok := parseCertificate(msg[handshakeHdrLen:])
	if !ok {
		return decodeError(msgCertificate)
	}
	hs.add(msg)
	if len(certs) == 0 {
		if hs.needCert {
			return failf(AlertHandshakeFailure, "the client sent no certificate, which %s with ClientAuth %v demands",
				hs.suite.name, hs.c.config.ClientAuth)
		}
		return nil
	}
	if err := hs.c.authenticate(certs, hs.c.trust()); err != nil {
		return err
	}
	if hs.suite.ecdhe && hs.c.peer.enc == nil {
		return failf(AlertBadCertificate, "the client sent no encryption certificate, which %s needs", hs.suite.name)
	}
	return nil
}

// processClientKeys reads ClientKeyExchange (6.4.5.7). The work with the secret
// waits until the client has proved who it is, if it is to.
func (hs *serverHandshakeState) processClientKeys(body []byte) error {
	if hs.suite.ecdhe {
		point, err := parseClientParams(body)
		if err != nil {
			return fail(AlertIllegalParameter, err)
		}
		point = bytes.Clone(point)
		hs.preMaster = func() ([]byte, error) { return hs.agree(hs.agreement, point) }
		return nil
	}
	ciphertext, ok := parseVectorMessage(body)
	if !ok {
		return decodeError(msgClientKeyExchange)
	}
	ciphertext = bytes.Clone(ciphertext)
	hs.preMaster = func() ([]byte, error) {
		preMaster, err := decryptPreMaster(hs.c.config.rand(), hs.cert.EncPrivateKey, ciphertext)
		if err != nil {
			return nil, internal(err)
		}
		return preMaster, nil
	}
	return nil
}

// saveSession keeps the session under the identifier that the client got.
func (hs *serverHandshakeState) saveSession() {
	if len(hs.sessionID) == 0 {
		return
	}
	config := hs.c.config
	id := string(hs.sessionID)
	config.ServerSessionCache.Put(id, &ServerSessionState{&session{
		id:         hs.sessionID,
		suite:      hs.suite.id,
		master:     hs.keys.master,
		created:    config.now(),
		serverName: hs.hello.serverName,
		clientAuth: config.ClientAuth,
		verified:   config.ClientAuth.verified(),
		roots:      hs.c.peer.sessionRoots(config.ClientCAs),
		peer:       hs.c.peer,
	}})
	hs.c.dropper = func() { config.ServerSessionCache.Put(id, nil) }
}
