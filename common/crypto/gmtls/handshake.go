// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// handshake is what client and server have in common while they negotiate.
type handshake struct {
	c   *Conn
	ctx context.Context

	suite        *suite
	clientRandom [randomLen]byte
	serverRandom [randomLen]byte
	keys         keySchedule

	transcript    sm3Digest
	transcriptSum [sm3.Size]byte
	rawTranscript []byte // kept for Config.RawTranscriptVerify only
	keepRaw       bool

	msg      []byte // scratch for messages to send
	requests int    // HelloRequest messages that were ignored

	preMaster func() ([]byte, error) // computes the secret, at most once
}

func (c *Conn) newHandshake(ctx context.Context) *handshake {
	return &handshake{
		c: c, ctx: ctx, transcript: newSM3(), keepRaw: c.config.RawTranscriptVerify,
		msg: make([]byte, 0, 2048),
	}
}

// wipe forgets the secrets.
func (h *handshake) wipe() {
	h.keys.wipe()
}

// deriveMaster derives the master secret once the pre-master secret is there.
func (h *handshake) deriveMaster() error {
	preMaster, err := h.preMaster()
	if err != nil {
		return err
	}
	h.keys.setPreMaster(preMaster, h.clientRandom[:], h.serverRandom[:])
	return nil
}

// add takes a message into the transcript.
func (h *handshake) add(msg []byte) {
	h.transcript.Write(msg)
	if h.keepRaw {
		h.rawTranscript = append(h.rawTranscript, msg...)
	}
}

// transcriptHash returns the hash of the messages so far, in a buffer that the
// next call overwrites.
func (h *handshake) transcriptHash() []byte { return h.transcript.Sum(h.transcriptSum[:0]) }

// signedTranscript is the message that the signature in CertificateVerify
// covers (6.4.5.8).
func (h *handshake) signedTranscript() []byte {
	if h.keepRaw {
		return h.rawTranscript
	}
	return h.transcriptHash()
}

// send keeps a message for the next flush. Each message gets a record of its
// own, for there are stacks that expect that.
func (h *handshake) send(msg []byte) error {
	h.add(msg)
	h.msg = msg[:0]
	c := h.c
	c.out.Lock()
	defer c.out.Unlock()
	c.traceHandshake(true, c.out.cipher != nil, msg)
	return c.appendRecordsLocked(recordHandshake, msg)
}

func (h *handshake) flush() error {
	h.c.out.Lock()
	defer h.c.out.Unlock()
	return h.c.flushLocked()
}

// sendFinished sends ChangeCipherSpec, turns protection on for what this end
// sends, and sends Finished.
func (h *handshake) sendFinished(label string, protection recordCipher) error {
	if err := h.changeCipherSpec(protection); err != nil {
		return err
	}
	verifyData := h.keys.finished(label, h.transcriptHash())
	return h.send(append(append(h.msg[:0], msgFinished, 0, 0, finishedLen), verifyData[:]...))
}

func (h *handshake) changeCipherSpec(protection recordCipher) error {
	out := &h.c.out
	out.Lock()
	defer out.Unlock()
	if err := h.c.appendRecordsLocked(recordChangeCipherSpec, []byte{1}); err != nil {
		return err
	}
	out.cipher, out.seq = protection, 0
	return nil
}

// readMessage returns the next handshake message with its header. It is valid
// until the next call.
func (c *Conn) readMessage() ([]byte, error) {
	for {
		if msg, err := c.takeMessageLocked(); msg != nil || err != nil {
			return msg, err
		}
		typ, payload, err := c.nextRecordLocked()
		if err != nil {
			return nil, err
		}
		if typ != recordHandshake {
			return nil, failf(AlertUnexpectedMessage, "a record of type %s came in the place of a handshake message", recordTypeName(typ))
		}
		c.keepHandshakeLocked(payload)
	}
}

// keepHandshakeLocked puts the contents of a handshake record behind what is not
// yet processed.
func (c *Conn) keepHandshakeLocked(payload []byte) {
	in := &c.in
	pending := in.hand[in.handOff:]
	in.hand = append(in.hand[:copy(in.hand, pending)], payload...)
	in.handOff = 0
}

// takeMessageLocked returns the next handshake message with its header, nil if
// it has not come as a whole yet. It is valid until more is read.
func (c *Conn) takeMessageLocked() ([]byte, error) {
	in := &c.in
	limit := c.config.MaxHandshakeSize
	if limit <= 0 {
		limit = defaultHandshakeSize
	}
	pending := in.hand[in.handOff:]
	if len(pending) < handshakeHdrLen {
		return nil, nil
	}
	n := int(pending[1])<<16 | int(pending[2])<<8 | int(pending[3])
	if n > limit {
		return nil, failf(AlertIllegalParameter, "a %s message of %d bytes exceeds the limit of %d (Config.MaxHandshakeSize)",
			handshakeTypeName(pending[0]), n, limit)
	}
	if n += handshakeHdrLen; len(pending) < n {
		return nil, nil
	}
	in.handOff += n
	c.traceHandshake(false, in.cipher != nil, pending[:n])
	return pending[:n], nil
}

// read returns the next message, which must be of one of the types. Once the
// context has ended there is none, though it may have come: nobody waits for what
// would be computed for it.
func (h *handshake) read(types ...uint8) ([]byte, error) {
	for {
		msg, err := h.c.readMessage()
		if err == nil {
			err = context.Cause(h.ctx)
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(types, msg[0]) {
			return msg, nil
		}
		if msg[0] != msgHelloRequest || !h.c.isClient || h.c.version == VersionTLS13 || len(msg) > handshakeHdrLen {
			names := make([]string, len(types))
			for i, typ := range types {
				names[i] = handshakeTypeName(typ)
			}
			return nil, failf(AlertUnexpectedMessage, "got %s (type %d), want %s",
				handshakeTypeName(msg[0]), msg[0], strings.Join(names, " or "))
		}
		// A client that is negotiating ignores HelloRequest (6.4.5.1).
		if h.requests++; h.requests > maxUselessRecords {
			return nil, failf(AlertUnexpectedMessage, "too many HelloRequest messages")
		}
	}
}

// readFinished reads the peer's ChangeCipherSpec, turns protection on for what
// it sends from there, and checks its Finished.
func (h *handshake) readFinished(label string, protection recordCipher) error {
	if err := h.readChangeCipherSpec(protection); err != nil {
		return err
	}
	msg, err := h.read(msgFinished)
	if err != nil {
		return err
	}
	if len(msg) != handshakeHdrLen+finishedLen {
		return failf(AlertDecodeError, "Finished has %d bytes, want %d", len(msg)-handshakeHdrLen, finishedLen)
	}
	want := h.keys.finished(label, h.transcriptHash())
	if subtle.ConstantTimeCompare(want[:], msg[handshakeHdrLen:]) != 1 {
		return failf(AlertDecryptError, "the peer's Finished does not match the handshake")
	}
	h.add(msg)
	if in := &h.c.in; in.handOff != len(in.hand) {
		return failf(AlertUnexpectedMessage, "more handshake data follows Finished")
	}
	return nil
}

func (h *handshake) readChangeCipherSpec(protection recordCipher) error {
	in := &h.c.in
	if in.handOff != len(in.hand) {
		return failf(AlertUnexpectedMessage, "handshake data is pending where ChangeCipherSpec is due")
	}
	typ, payload, err := h.c.nextRecordLocked()
	if err != nil {
		return err
	}
	if typ != recordChangeCipherSpec {
		return failf(AlertUnexpectedMessage, "a record of type %s came in the place of ChangeCipherSpec", recordTypeName(typ))
	}
	if len(payload) != 1 || payload[0] != 1 {
		return failf(AlertDecodeError, "ChangeCipherSpec is not the single byte 1")
	}
	in.cipher, in.seq = protection, 0
	return nil
}

// verifySignature checks a signature by the peer's signing key.
func (h *handshake) verifySignature(what string, msg, sig []byte) error {
	if !sm2.VerifyASN1WithSM2(h.c.peer.sign, nil, msg, sig) {
		return failf(AlertDecryptError, "the peer's signature in %s is wrong", what)
	}
	return nil
}

// internal wraps a failure of this end's own making.
func internal(err error) error { return fail(AlertInternalError, err) }

func decodeError(typ uint8) error {
	return failf(AlertDecodeError, "%s is malformed", handshakeTypeName(typ))
}

// keepKeys keeps what the exporter needs of the secrets of TLCP, once they are
// there, and writes the key log.
func (h *handshake) keepKeys() error {
	h.c.exports = exportSecrets{h.keys.master, h.clientRandom, h.serverRandom}
	w := h.c.config.KeyLogWriter
	if w == nil {
		return nil
	}
	return writeKeyLog(w, "CLIENT_RANDOM", h.clientRandom[:], h.keys.master[:])
}

// fillRandom fills one of the randoms.
func (h *handshake) fillRandom(random []byte) error {
	if _, err := io.ReadFull(h.c.config.rand(), random); err != nil {
		return internal(fmt.Errorf("reading randomness: %w", err))
	}
	return nil
}

var errNoCertificate = errors.New("the server's configuration has no certificate for this client")
