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

	"github.com/emmansun/gmsm/smx509"

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
	hs := &serverHandshakeState{handshake: c.newHandshake(ctx)}
	defer hs.wipe()
	if err := hs.readClientHello(); err != nil {
		return err
	}
	if hs.findSession() {
		return hs.resume()
	}
	return hs.full()
}

func (hs *serverHandshakeState) readClientHello() error {
	c := hs.c
	msg, err := hs.read(msgClientHello)
	if err != nil {
		return err
	}
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
	if err := hs.configure(); err != nil {
		return err
	}
	hs.add(msg)
	if err := hs.chooseProtocol(); err != nil {
		return err
	}
	return hs.fillRandom(hs.serverRandom[:])
}

// configure lets the application choose another configuration for the client.
func (hs *serverHandshakeState) configure() error {
	c := hs.c
	hs.info = &ClientHelloInfo{
		CipherSuites:      hs.hello.suites,
		ServerName:        hs.hello.serverName,
		SupportedProtos:   hs.hello.protocols,
		SupportedVersions: []uint16{hs.hello.version},
		Extensions:        hs.hello.extensions,
		Conn:              c.conn,
		ctx:               hs.ctx,
	}
	if get := c.config.GetConfigForClient; get != nil {
		config, err := get(hs.info)
		if err != nil {
			return internal(fmt.Errorf("GetConfigForClient: %w", err))
		}
		if config != nil {
			c.config = config
			hs.keepRaw = config.RawTranscriptVerify
		}
	}
	return nil
}

// chooseProtocol negotiates the application protocol (RFC 7301, section 3.2).
func (hs *serverHandshakeState) chooseProtocol() error {
	own := hs.c.config.NextProtos
	if len(own) == 0 || len(hs.hello.protocols) == 0 {
		return nil
	}
	for _, p := range own {
		if slices.Contains(hs.hello.protocols, p) {
			hs.c.protocol = p
			return nil
		}
	}
	return failf(AlertNoApplicationProtocol, "none of the %d application protocols that the client offers is in Config.NextProtos %q", len(hs.hello.protocols), own)
}

// findSession decides whether the session that the client names is resumed.
func (hs *serverHandshakeState) findSession() bool {
	c := hs.c
	config := c.config
	if config.SessionTicketsDisabled || config.ServerSessionCache == nil || len(hs.hello.sessionID) == 0 {
		return false
	}
	id := string(hs.hello.sessionID)
	state, ok := config.ServerSessionCache.Get(id)
	if !ok || state == nil || state.session == nil {
		return false
	}
	s := state.session
	if s.expired(config, config.now()) {
		config.ServerSessionCache.Put(id, nil)
		return false
	}
	if !s.resumableByServer(config, hs.hello.serverName) || !slices.Contains(hs.hello.suites, s.suite) {
		return false
	}
	if s.verified && s.peer != nil {
		if _, err := c.identify(s.peer.raw, hs.trust()); err != nil {
			return false
		}
	}
	hs.session = s
	hs.suite = suiteByID(s.suite)
	c.suite, c.didResume, c.peer, c.serverName = hs.suite, true, s.peer, s.serverName
	c.dropper = func() { config.ServerSessionCache.Put(id, nil) }
	return true
}

// trust is what the client's certificates are verified under; nil: nothing.
func (hs *serverHandshakeState) trust() *trust {
	config := hs.c.config
	if !config.ClientAuth.verified() {
		return nil
	}
	return &trust{config.ClientCAs, smx509.ExtKeyUsageClientAuth, config.AllowUnpairedCertificates}
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
	if err := hs.logKeys(); err != nil {
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
	if err := hs.logKeys(); err != nil {
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
	first, second := offered, c.suites()
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

// serverCertificate chooses the pair to present.
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
	if len(cert.Certificate) < 2 || cert.PrivateKey == nil || cert.EncPrivateKey == nil {
		return nil, internal(errors.New("the server's Certificate lacks one of its two certificates or keys"))
	}
	return cert, nil
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
		var names [][]byte
		if pool := hs.c.config.ClientCAs; pool != nil {
			names = pool.Subjects()
		}
		if err := hs.send(appendCertificateRequest(hs.msg[:0], names)); err != nil {
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
	if err := hs.c.authenticate(certs, hs.trust()); err != nil {
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
