// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/sm2"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

type clientHandshakeState struct {
	*handshake
	hello      *clientHello
	session    *session // offered to the server; nil: none
	sessionKey string
	newID      []byte // of the session that the server offers; empty: none

	ecdhPoint     []byte // the server's ephemeral key; ECDHE suites
	certRequested bool
	cert          *Certificate // what is presented; nil: nothing
	sent          [][]byte     // its certificates as sent
}

func (c *Conn) clientHandshake(ctx context.Context) error {
	if versions := c.config.Versions; versions != nil {
		if len(versions) != 1 || versions[0] != VersionTLCP && versions[0] != VersionTLS13 {
			return errors.New("gmtls: Config.Versions of a client names one version, TLCP or TLS 1.3")
		}
		c.version = versions[0]
	}
	if c.version == VersionTLS13 {
		return c.clientHandshake13(ctx)
	}
	hs := &clientHandshakeState{handshake: c.newHandshake(ctx)}
	defer hs.wipe()
	if err := hs.makeHello(); err != nil {
		return err
	}
	if err := hs.send(appendClientHello(hs.msg[:0], hs.hello)); err != nil {
		return err
	}
	if err := hs.flush(); err != nil {
		return err
	}
	resumed, err := hs.readServerHello()
	if err != nil {
		return err
	}
	if resumed {
		return hs.resume()
	}
	return hs.full()
}

// makeHello checks the configuration and prepares ClientHello.
func (hs *clientHandshakeState) makeHello() error {
	c := hs.c
	config := c.config
	if err := config.checkClient(); err != nil {
		return err
	}
	c.serverName = config.ServerName
	hs.hello = &clientHello{
		version: VersionTLCP,
		suites:  config.clientSuites(),
	}
	if len(hs.hello.suites) == 0 {
		return errors.New("gmtls: Config.CipherSuites has no suite that this client can use (ECDHE suites need a certificate pair)")
	}
	if !config.OmitExtensions {
		hs.hello.serverName = sniName(config.ServerName)
		hs.hello.protocols = config.NextProtos
	}
	if err := hs.fillRandom(hs.clientRandom[:]); err != nil {
		return err
	}
	hs.hello.random = hs.clientRandom[:]
	hs.offerSession()
	return nil
}

// checkClient checks what a client of either protocol needs.
func (c *Config) checkClient() error {
	if c.ServerName == "" && !c.InsecureSkipVerify {
		return errors.New("gmtls: a client's Config needs ServerName or InsecureSkipVerify")
	}
	protocolsLen := 0
	for _, p := range c.NextProtos {
		protocolsLen += 1 + len(p)
		if p == "" || len(p) > 255 || protocolsLen > maxProtocolsLen {
			return errors.New("gmtls: Config.NextProtos has a name that is empty or longer than 255 bytes, or too many names")
		}
	}
	return nil
}

// clientSuites returns the suites of TLCP that a client offers: an ECDHE suite only if
// there is a pair to go with it, or if the application asks for the suite and
// chooses its certificate later.
func (c *Config) clientSuites() []uint16 {
	hasPair := c.GetClientCertificate != nil && c.CipherSuites != nil ||
		c.GetClientCertificate == nil && slices.ContainsFunc(c.Certificates, func(cert Certificate) bool {
			return len(cert.Certificate) > 1 && CanAgree(cert.EncPrivateKey)
		})
	usable := make([]uint16, 0, len(cipherSuites))
	for _, id := range c.suites(VersionTLCP) {
		if s := suiteByID(id); s != nil && (hasPair || !s.ecdhe) && !slices.Contains(usable, id) {
			usable = append(usable, id)
		}
	}
	return usable
}

// sniName returns the form of name that server_name may carry, empty if it is
// an address or too long.
func sniName(name string) string {
	host := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if i := strings.LastIndexByte(host, '%'); i > 0 {
		host = host[:i] // zone of an IPv6 address
	}
	if net.ParseIP(host) != nil || len(name) > maxServerNameLen {
		return ""
	}
	return strings.TrimRight(name, ".")
}

// offerSession puts a session into the hello if the cache has one that still
// holds under the present configuration.
func (hs *clientHandshakeState) offerSession() {
	hs.session, hs.sessionKey = hs.c.findClientSession(hs.hello.suites)
	if hs.session != nil {
		hs.hello.sessionID = hs.session.id
	}
}

// findClientSession returns the session that the cache has for the server, if it
// holds under the present configuration and has one of the suites, and the key
// under which sessions are kept; empty: none are.
func (c *Conn) findClientSession(suites []uint16) (s *session, key string) {
	config := c.config
	if config.SessionTicketsDisabled || config.ClientSessionCache == nil {
		return nil, ""
	}
	key = clientSessionKey(config.ServerName, c.conn.RemoteAddr())
	state, ok := config.ClientSessionCache.Get(key)
	if !ok || state == nil || state.session == nil {
		return nil, key
	}
	s = state.session
	if !s.resumableByClient(config) || !slices.Contains(suites, s.suite) || !c.stillTrusts(s) {
		config.ClientSessionCache.Put(key, nil)
		return nil, key
	}
	return s, key
}

// stillTrusts verifies the server of a client's session under the present
// configuration.
func (c *Conn) stillTrusts(s *session) bool {
	t := c.trust()
	if t == nil {
		return true
	}
	p, err := c.identify(s.peer.raw, t)
	return err == nil && p.verifyHostname(c.config.ServerName) == nil
}

func (hs *clientHandshakeState) readServerHello() (resumed bool, err error) {
	msg, err := hs.read(msgServerHello)
	if err != nil {
		return false, err
	}
	hello, unsolicited, ok := parseServerHello(msg[handshakeHdrLen:])
	if !ok {
		return false, decodeError(msgServerHello)
	}
	switch {
	case hello.version != VersionTLCP:
		return false, failf(AlertProtocolVersion, "the server chose the version %s", VersionName(hello.version))
	case !slices.Contains(hs.hello.suites, hello.suite):
		return false, failf(AlertIllegalParameter, "the server chose the suite %s, which was not offered", CipherSuiteName(hello.suite))
	case hello.compression != compressionNone:
		return false, failf(AlertIllegalParameter, "the server chose the compression method %d", hello.compression)
	case unsolicited, hello.serverName && hs.hello.serverName == "",
		hello.protocol != "" && len(hs.hello.protocols) == 0:
		return false, failf(AlertUnsupportedExtension, "ServerHello has an extension that was not asked for")
	case hello.protocol != "" && !slices.Contains(hs.hello.protocols, hello.protocol):
		return false, failf(AlertIllegalParameter, "the server chose the application protocol %q, which was not offered", hello.protocol)
	}
	copy(hs.serverRandom[:], hello.random)
	hs.add(msg)
	hs.suite = suiteByID(hello.suite)
	hs.c.suite, hs.c.protocol = hs.suite, hello.protocol
	if hs.session != nil && bytes.Equal(hello.sessionID, hs.session.id) {
		if hello.suite != hs.session.suite {
			return false, failf(AlertIllegalParameter, "the server resumed a session with another suite")
		}
		return true, nil
	}
	if hs.session != nil {
		hs.c.config.ClientSessionCache.Put(hs.sessionKey, nil) // the server does not know it any more
		hs.session = nil
	}
	hs.newID = bytes.Clone(hello.sessionID)
	return false, nil
}

// resume ends an abbreviated handshake (6.4.4).
func (hs *clientHandshakeState) resume() error {
	c := hs.c
	hs.keys.setMaster(&hs.session.master)
	c.didResume, c.peer = true, hs.session.peer
	hs.setDropper()
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
	if err := hs.readFinished(labelServer, serverCipher); err != nil {
		return err
	}
	if err := hs.sendFinished(labelClient, clientCipher); err != nil {
		return err
	}
	return hs.flush()
}

// full ends a handshake that makes a new session.
func (hs *clientHandshakeState) full() error {
	if err := hs.readServerFlight(); err != nil {
		return err
	}
	if err := hs.sendKeys(); err != nil {
		return err
	}
	return hs.finishFull()
}

// finishFull ends a full handshake once there is a master secret.
func (hs *clientHandshakeState) finishFull() error {
	if err := hs.keepKeys(); err != nil {
		return err
	}
	clientCipher, serverCipher, err := hs.keys.protection(hs.suite, hs.clientRandom[:], hs.serverRandom[:])
	if err != nil {
		return internal(err)
	}
	if err := hs.sendFinished(labelClient, clientCipher); err != nil {
		return err
	}
	if err := hs.flush(); err != nil {
		return err
	}
	if err := hs.readFinished(labelServer, serverCipher); err != nil {
		return err
	}
	hs.saveSession()
	return nil
}

// readServerFlight reads from Certificate to ServerHelloDone.
func (hs *clientHandshakeState) readServerFlight() error {
	msg, err := hs.read(msgCertificate)
	if err != nil {
		return err
	}
	certs, ok := parseCertificate(msg[handshakeHdrLen:])
	if !ok {
		return decodeError(msgCertificate)
	}
	hs.add(msg)
	if len(certs) < 2 {
		return failf(AlertBadCertificate, "the server sent %d certificates; TLCP needs a signing and an encryption certificate", len(certs))
	}
	if err := hs.c.authenticate(certs, hs.c.trust()); err != nil {
		return err
	}
	if hs.c.peer.enc == nil {
		return failf(AlertBadCertificate, "the server sent no encryption certificate in the second place")
	}

	if msg, err = hs.read(msgServerKeyExchange); err != nil {
		return err
	}
	hs.add(msg)
	if err := hs.processServerKeys(msg[handshakeHdrLen:]); err != nil {
		return err
	}

	if msg, err = hs.read(msgCertificateRequest, msgServerHelloDone); err != nil {
		return err
	}
	hs.add(msg)
	if msg[0] == msgCertificateRequest {
		names, ok := parseCertificateRequest(msg[handshakeHdrLen:])
		if !ok {
			return decodeError(msgCertificateRequest)
		}
		if err := hs.chooseCertificate(names); err != nil {
			return err
		}
		if msg, err = hs.read(msgServerHelloDone); err != nil {
			return err
		}
		hs.add(msg)
	} else if hs.suite.ecdhe {
		return failf(AlertUnexpectedMessage, "the server chose an ECDHE suite and sent no CertificateRequest")
	}
	if len(msg) != handshakeHdrLen {
		return decodeError(msgServerHelloDone)
	}
	return nil
}

// processServerKeys checks the ServerKeyExchange message (6.4.5.4).
func (hs *clientHandshakeState) processServerKeys(body []byte) error {
	signed, sig := hs.c.peer.raw[1], []byte(nil)
	if hs.suite.ecdhe {
		params, point, s, err := parseServerParams(body)
		if err != nil {
			if errors.Is(err, errParams) {
				return fail(AlertIllegalParameter, err)
			}
			return fail(AlertDecodeError, err)
		}
		signed, sig = params, s
		hs.ecdhPoint = bytes.Clone(point)
	} else {
		var ok bool
		if sig, ok = parseVectorMessage(body); !ok {
			return decodeError(msgServerKeyExchange)
		}
	}
	msg := exchangeMessage(hs.suite, hs.clientRandom[:], hs.serverRandom[:], signed)
	return hs.verifySignature("ServerKeyExchange", msg, sig)
}

// chooseCertificate answers a CertificateRequest. names lie in the read buffer.
func (hs *clientHandshakeState) chooseCertificate(names [][]byte) error {
	hs.certRequested = true
	var err error
	if hs.cert, err = hs.clientCertificate(names); err != nil {
		return err
	}
	if hs.suite.ecdhe && (hs.cert == nil || len(hs.cert.Certificate) < 2) {
		return failf(AlertHandshakeFailure, "the server chose %s, which needs a certificate pair, and there is none for its authorities", hs.suite.name)
	}
	return nil
}

// clientCertificate chooses what a client presents, nil for nothing, to a server
// that names these authorities. names lie in the read buffer.
func (h *handshake) clientCertificate(names [][]byte) (*Certificate, error) {
	config := h.c.config
	if get := config.GetClientCertificate; get != nil {
		for i := range names {
			names[i] = bytes.Clone(names[i])
		}
		cert, err := get(&CertificateRequestInfo{
			AcceptableCAs: names, Version: h.suite.version(), CipherSuite: h.suite.id, ctx: h.ctx,
		})
		switch {
		case err != nil:
			return nil, internal(fmt.Errorf("GetClientCertificate: %w", err))
		case cert == nil:
			return nil, internal(errors.New("GetClientCertificate returned neither a certificate nor an error"))
		case len(cert.Certificate) == 0:
			return nil, nil
		}
		return cert, nil
	}
	for i := range config.Certificates {
		cert := &config.Certificates[i]
		if len(cert.Certificate) > 0 && cert.issuedByAny(names) {
			return cert, nil
		}
	}
	return nil, nil
}

// issuedByAny reports whether one of the names is the issuer of a certificate in
// c; no names means any.
func (c *Certificate) issuedByAny(names [][]byte) bool {
	if len(names) == 0 {
		return true
	}
	for i, der := range c.Certificate {
		issuer := []byte(nil)
		switch {
		case i == 0 && c.Leaf != nil:
			issuer = c.Leaf.RawIssuer
		case i == 1 && c.EncLeaf != nil:
			issuer = c.EncLeaf.RawIssuer
		default:
			cert, err := gmx509.ParseCertificateSM(der)
			if err != nil {
				continue
			}
			issuer = cert.RawIssuer
		}
		if slices.ContainsFunc(names, func(name []byte) bool { return bytes.Equal(name, issuer) }) {
			return true
		}
	}
	return false
}

// sendKeys sends Certificate, ClientKeyExchange and CertificateVerify, and
// derives the master secret.
func (hs *clientHandshakeState) sendKeys() error {
	if hs.certRequested {
		if hs.cert != nil {
			hs.sent = hs.cert.Certificate
			if hs.c.config.SingleClientCertificate && !hs.suite.ecdhe && len(hs.sent) > 1 {
				hs.sent = slices.Delete(slices.Clone(hs.sent), 1, 2)
			}
		}
		if err := hs.send(appendCertificate(hs.msg[:0], hs.sent)); err != nil {
			return err
		}
	}
	if err := hs.sendClientKeys(); err != nil {
		return err
	}
	if hs.cert != nil {
		sig, err := signMessage(hs.c.config.rand(), hs.cert.PrivateKey, hs.signedTranscript())
		if err != nil {
			return internal(err)
		}
		if err := hs.send(appendVectorMessage(hs.msg[:0], msgCertificateVerify, sig)); err != nil {
			return err
		}
	}
	if hs.suite.ecdhe {
		return hs.deriveMaster()
	}
	return nil
}

// sendClientKeys sends ClientKeyExchange (6.4.5.7).
func (hs *clientHandshakeState) sendClientKeys() error {
	if hs.suite.ecdhe {
		return hs.sendECDHKeys()
	}
	random := hs.c.config.rand()
	preMaster, err := newPreMaster(random)
	if err != nil {
		return internal(err)
	}
	ciphertext, err := sm2.EncryptASN1(random, hs.c.peer.enc, preMaster)
	if err != nil {
		clear(preMaster)
		return internal(fmt.Errorf("encrypting the pre-master secret: %w", err))
	}
	hs.keys.setPreMaster(preMaster, hs.clientRandom[:], hs.serverRandom[:])
	return hs.send(appendVectorMessage(hs.msg[:0], msgClientKeyExchange, ciphertext))
}

func (hs *clientHandshakeState) sendECDHKeys() error {
	agreer, err := keyAgreer(hs.cert.EncPrivateKey)
	if err != nil {
		return internal(err)
	}
	agreement, err := agreer.NewKeyAgreement(hs.c.config.rand(), false)
	if err != nil {
		return internal(err)
	}
	hs.preMaster = func() ([]byte, error) { return hs.agree(agreement, hs.ecdhPoint) }
	start := beginMessage(hs.msg[:0], msgClientKeyExchange)
	if hs.c.config.VectorClientParams {
		start = binary.BigEndian.AppendUint16(start, ecdhParamsLen)
	}
	return hs.send(endMessage(appendECDHParams(start, agreement.EphemeralPublic()), 0))
}

// saveSession keeps the session if the server offers to resume it.
func (hs *clientHandshakeState) saveSession() {
	config := hs.c.config
	if len(hs.newID) == 0 || hs.sessionKey == "" {
		return
	}
	config.ClientSessionCache.Put(hs.sessionKey, &ClientSessionState{&session{
		id:         hs.newID,
		suite:      hs.suite.id,
		master:     hs.keys.master,
		created:    config.now(),
		serverName: config.ServerName,
		verified:   !config.InsecureSkipVerify,
		roots:      hs.c.peer.sessionRoots(config.RootCAs),
		local:      hs.sent,
		peer:       hs.c.peer,
	}})
	hs.setDropper()
}

func (hs *clientHandshakeState) setDropper() {
	cache, key := hs.c.config.ClientSessionCache, hs.sessionKey
	hs.c.dropper = func() { cache.Put(key, nil) }
}
