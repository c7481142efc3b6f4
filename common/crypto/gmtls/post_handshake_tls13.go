// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"time"
)

// What TLS 1.3 sends after the handshake: tickets and key updates (RFC 8446,
// section 4.6).

const (
	updateNotRequested = 0
	updateRequested    = 1

	// recordsPerKey is the number of records after which this end takes a new
	// key: below the bound of 2^24.5 that RFC 8446, section 5.5, has for GCM, and
	// at the one that RFC 9147, section 4.5.3, has for CCM.
	recordsPerKey = 1 << 23
)

// psk returns the pre-shared key of a session of TLS 1.3.
func (s *session) psk() []byte { return s.master[:secretLen] }

// ticketTaker is what a client needs to make sessions of tickets.
type ticketTaker struct {
	secret  []byte // resumption secret
	key     string // in the cache
	local   [][]byte
	created time.Time // when the server proved who it is
}

// sendTicket gives the client an identifier to resume by, and keeps the session
// under it. The message goes out in front of what this end writes first: a
// client that is not reading yet cannot hold the handshake up.
func (hs *serverHandshakeState13) sendTicket() error {
	c := hs.c
	config := c.config
	secret := hs.schedule.derive(labelResumption, hs.transcriptHash())
	defer clear(secret)
	if config.ServerSessionCache == nil || config.SessionTicketsDisabled || !bytes.Contains(hs.hello.pskModes, []byte{pskModeDHE}) {
		return nil
	}
	s := &session{
		id:         make([]byte, maxSessionIDLen),
		suite:      hs.suite.id,
		created:    config.now(),
		serverName: hs.hello.serverName,
		clientAuth: config.ClientAuth,
		verified:   config.ClientAuth.verified(),
		roots:      c.peer.sessionRoots(config.ClientCAs),
		peer:       c.peer,
	}
	if old := hs.session; old != nil {
		// What the peer proved once does not last longer by being resumed.
		s.created, s.serverName, s.roots = old.created, old.serverName, old.roots
		config.ServerSessionCache.Put(string(old.id), nil) // was used once
	}
	lifetime := config.sessionLifetime() - config.now().Sub(s.created)
	if lifetime < time.Second {
		return nil
	}
	var random [1 + 4]byte
	if err := hs.fillRandom(s.id); err != nil {
		return err
	}
	if err := hs.fillRandom(random[:]); err != nil {
		return err
	}
	nonce, ageAdd := random[:1], uint32(random[1])<<24|uint32(random[2])<<16|uint32(random[3])<<8|uint32(random[4])
	copy(s.master[:], expandLabel(secret, labelTicketPSK, nonce, secretLen))
	id := string(s.id)
	config.ServerSessionCache.Put(id, &ServerSessionState{s})
	c.dropper = func() { config.ServerSessionCache.Put(id, nil) }
	return hs.send(appendNewSessionTicket(hs.msg[:0], &newSessionTicket{
		lifetime: uint32(lifetime / time.Second), ageAdd: ageAdd, nonce: nonce, ticket: s.id,
	}))
}

// handlePostHandshakeLocked takes the contents of a handshake record that came
// after the handshake, and handles the messages that are complete with it.
func (c *Conn) handlePostHandshakeLocked(payload []byte) error {
	in := &c.in
	c.keepHandshakeLocked(payload)
	for {
		if err := c.checkComingLocked(); err != nil {
			return err
		}
		msg, err := c.takeMessageLocked()
		if err != nil {
			return err
		}
		if msg == nil {
			break
		}
		if c.control++; c.control > maxUselessRecords {
			return failf(AlertUnexpectedMessage, "more than %d handshake messages in a row after the handshake", maxUselessRecords)
		}
		if msg[0] == msgKeyUpdate {
			err = c.handleKeyUpdateLocked(msg[handshakeHdrLen:])
		} else {
			err = c.takeTicketLocked(msg[handshakeHdrLen:])
		}
		if err != nil {
			return err
		}
	}
	if in.handOff == len(in.hand) {
		in.hand, in.handOff = nil, 0
	}
	return nil
}

// checkComingLocked refuses a message by the first bytes of it that are there, so
// that a peer cannot make this end keep 64 KiB for each connection. A server takes
// nothing but KeyUpdate, which has one byte.
func (c *Conn) checkComingLocked() error {
	coming := c.in.hand[c.in.handOff:]
	switch {
	case len(coming) == 0, coming[0] == msgNewSessionTicket && c.isClient:
		return nil
	case coming[0] != msgKeyUpdate:
		return failf(AlertUnexpectedMessage, "%s (type %d) came after the handshake", handshakeTypeName(coming[0]), coming[0])
	case len(coming) >= handshakeHdrLen && !bytes.Equal(coming[1:handshakeHdrLen], []byte{0, 0, 1}):
		return decodeError(msgKeyUpdate)
	}
	return nil
}

// handleKeyUpdateLocked changes to the peer's next key (RFC 8446, section
// 4.6.3). If it asks for an update of this end's, that goes in front of the next
// application data: once for all that were asked for, and no reading waits for
// it.
func (c *Conn) handleKeyUpdateLocked(body []byte) error {
	if body[0] != updateNotRequested && body[0] != updateRequested {
		return failf(AlertIllegalParameter, "a KeyUpdate asks for %d", body[0])
	}
	if err := c.setReadKeyLocked(nextTrafficSecret(c.in.secret)); err != nil {
		return err
	}
	if body[0] == updateRequested {
		c.keyUpdateDue.Store(true)
	}
	return nil
}

// updateKeyIfDueLocked takes a new key for sending if the peer has asked for it
// or the present one was used often. It is called with out locked.
func (c *Conn) updateKeyIfDueLocked() error {
	if c.out.seq < recordsPerKey && !c.keyUpdateDue.Load() {
		return nil
	}
	c.keyUpdateDue.Store(false)
	return c.updateKeyLocked(updateNotRequested)
}

func (c *Conn) updateKeyLocked(request byte) error {
	msg := []byte{msgKeyUpdate, 0, 0, 1, request}
	c.traceHandshake(true, true, msg)
	if err := c.appendRecordsLocked(recordHandshake, msg); err != nil {
		return err
	}
	return c.setWriteKeyLocked(nextTrafficSecret(c.out.secret))
}

// takeTicketLocked makes a session of a ticket (RFC 8446, section 4.6.1).
func (c *Conn) takeTicketLocked(body []byte) error {
	t, ok := parseNewSessionTicket(body)
	switch {
	case !ok:
		return decodeError(msgNewSessionTicket)
	case t.lifetime > maxTicketLifetime:
		return failf(AlertIllegalParameter, "a ticket lives for %d seconds, more than a week", t.lifetime)
	case c.tickets == nil || t.lifetime == 0 || len(t.ticket) > maxTicketLen:
		return nil
	}
	config, now := c.config, c.config.now()
	s := &session{
		id:         bytes.Clone(t.ticket),
		suite:      c.suite.id,
		created:    c.tickets.created,
		received:   now,
		expires:    now.Add(time.Duration(t.lifetime) * time.Second),
		ageAdd:     t.ageAdd,
		serverName: config.ServerName,
		verified:   !config.InsecureSkipVerify,
		roots:      c.peer.sessionRoots(config.RootCAs),
		local:      c.tickets.local,
		peer:       c.peer,
	}
	copy(s.master[:], expandLabel(c.tickets.secret, labelTicketPSK, t.nonce, secretLen))
	config.ClientSessionCache.Put(c.tickets.key, &ClientSessionState{s})
	key := c.tickets.key
	c.dropper = func() { config.ClientSessionCache.Put(key, nil) }
	return nil
}
