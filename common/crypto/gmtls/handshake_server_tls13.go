// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/subtle"
	"slices"
)

type serverHandshakeState13 struct {
	handshake13
	hello    *clientHello13
	info     *ClientHelloInfo
	cert     *Certificate
	share    keyShare // of the client, in the chosen group
	session  *session // being resumed; nil: full handshake
	identity int      // of the session among the client's
	dummied  bool     // the ChangeCipherSpec for middleboxes was sent
}

// serverHandshake13 runs the handshake from the ClientHello on.
func (c *Conn) serverHandshake13(h *handshake, msg []byte) error {
	hs := &serverHandshakeState13{handshake13: handshake13{handshake: h}}
	defer hs.wipe13()
	c.in.dummies = true
	if err := hs.processClientHello(msg); err != nil {
		return err
	}
	if err := hs.sendServerHello(); err != nil {
		return err
	}
	client, err := hs.sendServerFlight()
	if err != nil {
		return err
	}
	if err := hs.readClientFlight(); err != nil {
		return err
	}
	if err := hs.setReadKey(client); err != nil {
		return err
	}
	return hs.sendTicket()
}

// processClientHello reads what the client offers and chooses of it, asking it
// once to begin again if it offered no key for the group.
func (hs *serverHandshakeState13) processClientHello(msg []byte) error {
	c := hs.c
	hello, err := parseClientHello13(bytes.Clone(msg[handshakeHdrLen:]))
	if err != nil {
		return err
	}
	hs.hello = hello
	if err := hs.checkVersion(); err != nil {
		return err
	}
	copy(hs.clientRandom[:], hello.random)
	c.serverName = hello.serverName
	if hs.info, err = hs.configure(&hello.clientHello, hello.versions); err != nil {
		return err
	}
	if err := c.config.checkGroups(); err != nil {
		return internal(err)
	}
	if err := hs.checkHello(); err != nil {
		return err
	}
	if err := hs.chooseSuite(); err != nil {
		return err
	}
	if err := hs.chooseProtocol(hello.protocols); err != nil {
		return err
	}
	if err := hs.chooseGroup(); err != nil {
		return err
	}
	if hs.share.data == nil {
		if msg, err = hs.retry(msg); err != nil {
			return err
		}
	}
	if err := hs.findSession(msg); err != nil {
		return err
	}
	hs.add(msg)
	return nil
}

// checkVersion checks that the client means TLS 1.3 (RFC 8446, section 4.2.1).
func (hs *serverHandshakeState13) checkVersion() error {
	hello := hs.hello
	switch {
	case hello.version <= 0x0300:
		return failf(AlertProtocolVersion, "the client speaks SSL")
	case !slices.Contains(hello.versions, VersionTLS13):
		return failf(AlertProtocolVersion, "the client does not offer TLS 1.3")
	}
	return nil
}

// checkHello checks what must hold in each ClientHello (RFC 8446, sections
// 4.1.2, 4.2.8, 4.2.9 and 9.2).
func (hs *serverHandshakeState13) checkHello() error {
	hello := hs.hello
	switch {
	case !bytes.Equal(hello.compressions, []byte{compressionNone}):
		return failf(AlertIllegalParameter, "the client offers compression")
	case hello.has(extEarlyData):
		return failf(AlertUnsupportedExtension, "the client sends early data, for which it got no ticket")
	case hello.cookie != nil:
		return failf(AlertIllegalParameter, "the client sends a cookie that it did not get")
	case !hello.has(extSignatureAlgorithms), !hello.has(extSupportedGroups), !hello.has(extKeyShare):
		return failf(AlertMissingExtension, "the client does not say its signature algorithms, groups or keys")
	case hello.has(extPreSharedKey) && !hello.has(extPSKModes):
		return failf(AlertMissingExtension, "the client offers a PSK and does not say how to use it")
	case len(hello.identities) != len(hello.binders):
		return failf(AlertIllegalParameter, "the client sends %d PSKs and %d binders", len(hello.identities), len(hello.binders))
	}
	for i, share := range hello.shares {
		if slices.ContainsFunc(hello.shares[:i], func(s keyShare) bool { return s.group == share.group }) {
			return failf(AlertIllegalParameter, "the client sends two keys for the group %v", share.group)
		}
		if !slices.Contains(hello.groups, share.group) {
			return failf(AlertIllegalParameter, "the client sends a key for the group %v, which is not one of its groups", share.group)
		}
	}
	return nil
}

// chooseSuite chooses the suite, and checks that the client knows SM2
// signatures.
func (hs *serverHandshakeState13) chooseSuite() error {
	config, offered := hs.c.config, hs.hello.suites
	first, second := offered, config.suites(VersionTLS13)
	if config.PreferServerCipherSuites {
		first, second = second, first
	}
	i := slices.IndexFunc(first, func(id uint16) bool {
		return slices.Contains(second, id) && suiteByID(id) != nil
	})
	if i < 0 {
		return failf(AlertHandshakeFailure, "no cipher suite in common with the client, which offers %s", suiteNames(offered))
	}
	hs.suite = suiteByID(first[i])
	hs.c.suite = hs.suite
	if !slices.Contains(hs.hello.schemes, schemeSM2SM3) ||
		hs.hello.chainSigs != nil && !slices.Contains(hs.hello.chainSigs, schemeSM2SM3) {
		return failf(AlertHandshakeFailure, "the client does not accept signatures of SM2 with SM3")
	}
	return nil
}

// chooseGroup takes the first own group that the client knows, and the client's
// key for it if there is one.
func (hs *serverHandshakeState13) chooseGroup() error {
	for _, group := range hs.c.config.groups() {
		if !slices.Contains(hs.hello.groups, group) {
			continue
		}
		hs.share.group = group
		for _, share := range hs.hello.shares {
			if share.group == group {
				hs.share = share
			}
		}
		hs.c.group = group
		return nil
	}
	return failf(AlertHandshakeFailure, "no group in common with the client, which offers %d, first %v", len(hs.hello.groups), hs.hello.groups[:min(8, len(hs.hello.groups))])
}

// retry sends a HelloRetryRequest for the chosen group and returns the second
// ClientHello, which may differ from the first one in little (RFC 8446, section
// 4.1.2).
func (hs *serverHandshakeState13) retry(first []byte) ([]byte, error) {
	lasting := lastingPart(first[handshakeHdrLen:])
	hs.add(first)
	hs.replaceFirstHello()
	if err := hs.send(appendServerHello13(hs.msg[:0], &serverHello13{
		random: retryRandom[:], sessionID: hs.hello.sessionID, suite: hs.suite.id, share: keyShare{group: hs.share.group},
	})); err != nil {
		return nil, err
	}
	if err := hs.sendDummyForMiddlebox(); err != nil {
		return nil, err
	}
	if err := hs.flush(); err != nil {
		return nil, err
	}
	if in := &hs.c.in; in.handOff != len(in.hand) {
		return nil, failf(AlertUnexpectedMessage, "handshake data follows ClientHello")
	}
	msg, err := hs.read(msgClientHello)
	if err != nil {
		return nil, err
	}
	hello, err := parseClientHello13(bytes.Clone(msg[handshakeHdrLen:]))
	if err != nil {
		return nil, err
	}
	hs.hello = hello
	if err := hs.checkHello(); err != nil {
		return nil, err
	}
	if !bytes.Equal(lasting, lastingPart(msg[handshakeHdrLen:])) {
		return nil, failf(AlertIllegalParameter, "the second ClientHello differs from the first one in what must not change")
	}
	if len(hello.shares) != 1 || hello.shares[0].group != hs.share.group {
		return nil, failf(AlertIllegalParameter, "the second ClientHello has no key for the group %v, or others", hs.share.group)
	}
	hs.share = hello.shares[0]
	return msg, nil
}

func (hs *serverHandshakeState13) sendDummyForMiddlebox() error {
	if hs.dummied || len(hs.hello.sessionID) == 0 {
		return nil
	}
	hs.dummied = true
	return hs.sendDummy()
}

// findSession looks for a session among the PSKs that the client offers. A PSK
// that is known and whose binder is wrong ends the connection (RFC 8446, section
// 4.2.11).
func (hs *serverHandshakeState13) findSession(msg []byte) error {
	c, hello := hs.c, hs.hello
	if !slices.Contains(hello.pskModes, pskModeDHE) {
		return nil
	}
	for i, identity := range hello.identities {
		if i == maxIdentities {
			return nil
		}
		s := c.findServerSession(string(identity.id), hello.serverName)
		if s == nil {
			continue
		}
		truncated := msg[:len(msg)-hello.bindersLen]
		if subtle.ConstantTimeCompare(hs.binder(s.psk(), truncated), hello.binders[i]) != 1 {
			return failf(AlertDecryptError, "the binder of a PSK is wrong")
		}
		hs.session, hs.identity = s, i
		c.takeSession(s)
		return nil
	}
	return nil
}

// sendServerHello sends ServerHello and changes to the keys of the handshake.
func (hs *serverHandshakeState13) sendServerHello() error {
	c := hs.c
	if in := &c.in; in.handOff != len(in.hand) {
		return failf(AlertUnexpectedMessage, "handshake data follows ClientHello")
	}
	if hs.session == nil {
		var err error
		if hs.cert, err = c.config.serverCertificate(hs.info); err != nil {
			return err
		}
		if err := hs.cert.checkOwn13(); err != nil {
			return err
		}
		hs.schedule.start(nil)
	} else {
		hs.schedule.start(hs.session.psk())
	}
	if err := hs.fillRandom(hs.serverRandom[:]); err != nil {
		return err
	}
	shared, own, err := answerShare(c.config.rand(), hs.share)
	if err != nil {
		return err
	}
	if err := hs.send(appendServerHello13(hs.msg[:0], &serverHello13{
		random: hs.serverRandom[:], sessionID: hs.hello.sessionID, suite: hs.suite.id, share: own,
		resumed: hs.session != nil, identity: uint16(hs.identity),
	})); err != nil {
		return err
	}
	if err := hs.sendDummyForMiddlebox(); err != nil {
		return err
	}
	if err := hs.deriveHandshake(shared); err != nil {
		return err
	}
	if err := hs.setWriteKey(slices.Clone(hs.serverSecret)); err != nil {
		return err
	}
	return hs.setReadKey(slices.Clone(hs.clientSecret))
}

// sendServerFlight sends from EncryptedExtensions to Finished, changes to the
// key of application data for sending, and returns the client's secret.
func (hs *serverHandshakeState13) sendServerFlight() (client []byte, err error) {
	config := hs.c.config
	if err := hs.send(appendEncryptedExtensions(hs.msg[:0], hs.c.protocol)); err != nil {
		return nil, err
	}
	if hs.session == nil {
		if config.ClientAuth != NoClientCert {
			if err := hs.send(appendCertificateRequest13(hs.msg[:0], config.clientAuthorities())); err != nil {
				return nil, err
			}
		}
		if err := hs.send(appendCertificate13(hs.msg[:0], hs.cert.single())); err != nil {
			return nil, err
		}
		if err := hs.sendVerify(hs.cert.PrivateKey, contextServerVerify); err != nil {
			return nil, err
		}
	} else if err := hs.c.consultCallbacks(); err != nil {
		return nil, err
	}
	if err := hs.sendFinished13(hs.serverSecret); err != nil {
		return nil, err
	}
	client, server, err := hs.deriveTraffic()
	if err != nil {
		return nil, err
	}
	if err := hs.flush(); err != nil {
		return nil, err
	}
	return client, hs.setWriteKey(server)
}

// readClientFlight reads from Certificate, if it was asked for, to Finished.
func (hs *serverHandshakeState13) readClientFlight() error {
	c := hs.c
	if hs.session == nil {
		if c.config.ClientAuth != NoClientCert {
			if err := hs.readClientIdentity(); err != nil {
				return err
			}
		}
		if c.peer == nil {
			if err := c.consultCallbacks(); err != nil {
				return err
			}
		}
	}
	msg, err := hs.read(msgFinished)
	if err != nil {
		return err
	}
	return hs.checkFinished13(msg, hs.clientSecret)
}

func (hs *serverHandshakeState13) readClientIdentity() error {
	c := hs.c
	msg, err := hs.read(msgCertificate)
	if err != nil {
		return err
	}
	certs, err := parseCertificate13(msg[handshakeHdrLen:])
	if err != nil {
		return err
	}
	hs.add(msg)
	if len(certs) == 0 {
		if c.config.ClientAuth.demanded() {
			return failf(AlertCertificateRequired, "the client sent no certificate, which ClientAuth %v demands", c.config.ClientAuth)
		}
		return nil
	}
	if err := c.authenticate(certs, c.trust()); err != nil {
		return err
	}
	return hs.readVerify(contextClientVerify)
}
