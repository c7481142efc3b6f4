// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"context"
	"errors"
	"slices"
)

type clientHandshakeState13 struct {
	handshake13
	hello      *clientHello13
	keys       *clientKeys
	session    *session // offered to the server; nil: none
	sessionKey string
	retried    bool
	dummySent  bool

	server        *serverHello13
	certRequested bool
	cert          *Certificate // what is presented; nil: nothing
	sent          [][]byte     // its certificates as sent
}

func (c *Conn) clientHandshake13(ctx context.Context) error {
	hs := &clientHandshakeState13{handshake13: handshake13{handshake: c.newHandshake(ctx)}}
	defer hs.wipe13()
	if err := hs.makeHello(); err != nil {
		return err
	}
	if err := hs.sendHello(); err != nil {
		return err
	}
	c.in.dummies = true
	if err := hs.readServerHello(); err != nil {
		return err
	}
	if err := hs.agree(); err != nil {
		return err
	}
	if err := hs.readServerFlight(); err != nil {
		return err
	}
	return hs.finish()
}

// makeHello checks the configuration and prepares ClientHello.
func (hs *clientHandshakeState13) makeHello() error {
	c := hs.c
	config := c.config
	if err := config.checkClient(); err != nil {
		return err
	}
	if err := config.checkGroups(); err != nil {
		return err
	}
	c.serverName = config.ServerName
	hs.hello = &clientHello13{
		clientHello: clientHello{
			suites:     config.suites(VersionTLS13),
			serverName: sniName(config.ServerName),
			protocols:  config.NextProtos,
		},
		groups:  config.groups(),
		schemes: []uint16{schemeSM2SM3},
	}
	if len(hs.hello.suites) == 0 {
		return errors.New("gmtls: Config.CipherSuites has no suite of TLS 1.3")
	}
	if err := hs.fillRandom(hs.clientRandom[:]); err != nil {
		return err
	}
	hs.hello.random = hs.clientRandom[:]
	if !config.OmitMiddleboxCompatibility {
		hs.hello.sessionID = make([]byte, maxSessionIDLen)
	}
	if err := hs.fillRandom(hs.hello.sessionID); err != nil {
		return err
	}
	var err error
	if hs.keys, hs.hello.shares, err = newClientKeys(config.rand(), hs.hello.groups[0], hs.hello.groups); err != nil {
		return internal(err)
	}
	hs.offerSession()
	return nil
}

// offerSession puts the PSK of a session into the hello. A ticket is used once
// (RFC 8446, appendix C.4).
func (hs *clientHandshakeState13) offerSession() {
	hs.session, hs.sessionKey = hs.c.findClientSession(hs.hello.suites)
	if hs.session == nil {
		return
	}
	hs.c.config.ClientSessionCache.Put(hs.sessionKey, nil)
	hs.setAge()
}

// setAge writes the age of the ticket into the hello.
func (hs *clientHandshakeState13) setAge() {
	age := uint32(hs.c.config.now().Sub(hs.session.received).Milliseconds())
	hs.hello.identities = []pskIdentity{{hs.session.id, age + hs.session.ageAdd}}
	hs.hello.binders = [][]byte{make([]byte, secretLen)}
}

func (hs *clientHandshakeState13) sendHello() error {
	msg := appendClientHello13(hs.msg[:0], hs.hello)
	if hs.session != nil {
		binders := len(msg) - hs.hello.bindersLen
		copy(msg[binders+3:], hs.binder(hs.session.psk(), msg[:binders]))
	}
	if err := hs.send(msg); err != nil {
		return err
	}
	return hs.flush()
}

// readServerHello reads ServerHello, after answering a HelloRetryRequest if one
// comes first.
func (hs *clientHandshakeState13) readServerHello() error {
	for {
		msg, err := hs.read(msgServerHello)
		if err != nil {
			return err
		}
		hello, err := parseServerHello13(bytes.Clone(msg[handshakeHdrLen:]))
		if err != nil {
			return err
		}
		if err := hs.checkServerHello(hello); err != nil {
			return err
		}
		if !hello.isRetry() {
			hs.server = hello
			hs.add(msg)
			return nil
		}
		if hs.retried {
			return failf(AlertUnexpectedMessage, "the server sent a second HelloRetryRequest")
		}
		hs.replaceFirstHello()
		hs.add(msg)
		if err := hs.retry(hello); err != nil {
			return err
		}
	}
}

// checkServerHello checks what ServerHello and HelloRetryRequest have in common.
func (hs *clientHandshakeState13) checkServerHello(hello *serverHello13) error {
	switch {
	case hello.version == 0 && bytes.HasPrefix(hello.random[randomLen-8:], []byte(downgradeMark)):
		return failf(AlertIllegalParameter, "the server speaks TLS 1.3 and did not see that this client does: somebody changed the ClientHello")
	case hello.version == 0:
		return failf(AlertProtocolVersion, "the server chose an older version of TLS (0x%s)", upperHex(hello.legacy))
	case hello.version != VersionTLS13 || hello.legacy != legacyVersion:
		return failf(AlertIllegalParameter, "the server chose the version 0x%s (legacy 0x%s)", upperHex(hello.version), upperHex(hello.legacy))
	case !bytes.Equal(hello.sessionID, hs.hello.sessionID):
		return failf(AlertIllegalParameter, "the server did not give the session identifier back")
	case hello.compression != compressionNone:
		return failf(AlertIllegalParameter, "the server chose the compression method %d", hello.compression)
	case !slices.Contains(hs.hello.suites, hello.suite):
		return failf(AlertIllegalParameter, "the server chose the suite %s, which was not offered", CipherSuiteName(hello.suite))
	case hs.suite != nil && hs.suite.id != hello.suite:
		return failf(AlertIllegalParameter, "the server chose another suite after its HelloRetryRequest")
	}
	hs.suite = suiteByID(hello.suite)
	hs.c.suite = hs.suite
	return nil
}

// retry answers a HelloRetryRequest (RFC 8446, section 4.1.4).
func (hs *clientHandshakeState13) retry(hello *serverHello13) error {
	hs.retried = true
	group := hello.share.group
	switch {
	case group == 0 && hello.cookie == nil:
		return failf(AlertIllegalParameter, "a HelloRetryRequest asks for no change")
	case len(hello.cookie) > maxCookieLen:
		return failf(AlertIllegalParameter, "a cookie has %d bytes, more than %d", len(hello.cookie), maxCookieLen)
	case group != 0 && !slices.Contains(hs.hello.groups, group):
		return failf(AlertIllegalParameter, "a HelloRetryRequest asks for the group %v, which was not offered", group)
	case group != 0 && slices.Contains(hs.keys.groups, group):
		return failf(AlertIllegalParameter, "a HelloRetryRequest asks for a key of %v, which was offered", group)
	}
	hs.hello.cookie = hello.cookie
	if group != 0 {
		var err error
		if hs.keys, hs.hello.shares, err = newClientKeys(hs.c.config.rand(), group, []CurveID{group}); err != nil {
			return internal(err)
		}
	}
	if hs.session != nil {
		hs.setAge()
	}
	if err := hs.sendDummyOnce(); err != nil {
		return err
	}
	return hs.sendHello()
}

// sendDummyOnce sends ChangeCipherSpec for middleboxes (RFC 8446, appendix D.4).
func (hs *clientHandshakeState13) sendDummyOnce() error {
	if hs.dummySent || hs.c.config.OmitMiddleboxCompatibility {
		return nil
	}
	hs.dummySent = true
	return hs.sendDummy()
}

// agree checks the rest of ServerHello and derives the handshake's keys from it.
func (hs *clientHandshakeState13) agree() error {
	c, hello := hs.c, hs.server
	switch {
	case hello.share.data == nil:
		return failf(AlertMissingExtension, "ServerHello has no key_share")
	case !slices.Contains(hs.keys.groups, hello.share.group):
		return failf(AlertIllegalParameter, "the server chose the group %v, for which it got no key", hello.share.group)
	case hello.resumed && (hs.session == nil || hello.identity != 0):
		return failf(AlertIllegalParameter, "the server resumes a session that was not offered")
	}
	c.group = hello.share.group
	shared, err := hs.keys.sharedSecret(hello.share)
	if err != nil {
		return err
	}
	hs.keys = nil
	if hello.resumed {
		hs.schedule.start(hs.session.psk())
		c.didResume, c.peer = true, hs.session.peer
	} else {
		hs.session = nil
		hs.schedule.start(nil)
	}
	if err := hs.deriveHandshake(shared); err != nil {
		return err
	}
	if err := hs.sendDummyOnce(); err != nil { // goes out with what comes next
		return err
	}
	if err := hs.setWriteKey(slices.Clone(hs.clientSecret)); err != nil {
		return err
	}
	return hs.setReadKey(slices.Clone(hs.serverSecret))
}

// readServerFlight reads from EncryptedExtensions to the server's Finished.
func (hs *clientHandshakeState13) readServerFlight() error {
	c := hs.c
	msg, err := hs.read(msgEncryptedExts)
	if err != nil {
		return err
	}
	protocol, named, err := parseEncryptedExtensions(msg[handshakeHdrLen:])
	switch {
	case err != nil:
		return err
	case named && hs.hello.serverName == "", protocol != "" && len(hs.hello.protocols) == 0:
		return failf(AlertUnsupportedExtension, "EncryptedExtensions has an extension that was not asked for")
	case protocol != "" && !slices.Contains(hs.hello.protocols, protocol):
		return failf(AlertIllegalParameter, "the server chose the application protocol %q, which was not offered", protocol)
	}
	c.protocol = protocol
	hs.add(msg)
	if c.didResume {
		hs.sent = hs.session.local
		if err := c.consultCallbacks(); err != nil {
			return err
		}
	} else if err := hs.readServerIdentity(); err != nil {
		return err
	}
	if msg, err = hs.read(msgFinished); err != nil {
		return err
	}
	return hs.checkFinished13(msg, hs.serverSecret)
}

// readServerIdentity reads from CertificateRequest, if it comes, to
// CertificateVerify.
func (hs *clientHandshakeState13) readServerIdentity() error {
	msg, err := hs.read(msgCertificateRequest, msgCertificate)
	if err != nil {
		return err
	}
	if msg[0] == msgCertificateRequest {
		schemes, names, err := parseCertificateRequest13(msg[handshakeHdrLen:])
		if err != nil {
			return err
		}
		hs.certRequested = true
		if slices.Contains(schemes, schemeSM2SM3) {
			if hs.cert, err = hs.clientCertificate(names); err != nil {
				return err
			}
			if hs.cert != nil {
				if err := hs.cert.checkOwn13(); err != nil {
					return err
				}
			}
		}
		hs.add(msg)
		if msg, err = hs.read(msgCertificate); err != nil {
			return err
		}
	}
	certs, err := parseCertificate13(msg[handshakeHdrLen:])
	if err != nil {
		return err
	}
	if len(certs) == 0 {
		return failf(AlertDecodeError, "the server sent no certificate")
	}
	hs.add(msg)
	if err := hs.c.authenticate(certs, hs.c.trust()); err != nil {
		return err
	}
	return hs.readVerify(contextServerVerify)
}

// finish sends this client's flight and changes to the keys of application data.
func (hs *clientHandshakeState13) finish() error {
	c := hs.c
	client, server, err := hs.deriveTraffic()
	if err != nil {
		return err
	}
	if err := hs.setReadKey(server); err != nil {
		return err
	}
	if hs.certRequested {
		hs.sent = hs.cert.single()
		if err := hs.send(appendCertificate13(hs.msg[:0], hs.sent)); err != nil {
			return err
		}
		if hs.cert != nil {
			if err := hs.sendVerify(hs.cert.PrivateKey, contextClientVerify); err != nil {
				return err
			}
		}
	}
	if err := hs.sendFinished13(hs.clientSecret); err != nil {
		return err
	}
	if hs.sessionKey != "" {
		c.tickets = &ticketTaker{
			key: hs.sessionKey, local: hs.sent, created: c.config.now(),
			secret: hs.schedule.derive(labelResumption, hs.transcriptHash()),
		}
		if hs.session != nil {
			c.tickets.created = hs.session.created
		}
	}
	if err := hs.flush(); err != nil {
		return err
	}
	return hs.setWriteKey(client)
}

// single returns what TLS 1.3 sends of a pair: all but the encryption
// certificate, or nothing of nil.
func (c *Certificate) single() [][]byte {
	if c == nil {
		return nil
	}
	certs := c.Certificate
	if len(certs) < 2 || c.EncPrivateKey == nil && c.EncLeaf == nil {
		return certs
	}
	return slices.Concat(certs[:1], certs[2:])
}
