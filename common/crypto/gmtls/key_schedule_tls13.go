// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"github.com/emmansun/gmsm/sm3"
)

// Labels of TLS 1.3 (RFC 8446, section 7.1).
const (
	labelPrefix13        = "tls13 "
	labelDerived         = "derived"
	labelBinder          = "res binder"
	labelClientHandshake = "c hs traffic"
	labelServerHandshake = "s hs traffic"
	labelClientTraffic   = "c ap traffic"
	labelServerTraffic   = "s ap traffic"
	labelExporterMaster  = "exp master"
	labelResumption      = "res master"
	labelTicketPSK       = "resumption"
	labelFinished        = "finished"
	labelTrafficUpdate   = "traffic upd"
	labelKey             = "key"
	labelIV              = "iv"
	labelExporter        = "exporter"
)

// secretLen is the length of every secret of the schedule, SM3 being the hash of
// both suites (RFC 8998, section 3.2).
const secretLen = sm3.Size

// keySchedule13 is the chain of secrets of RFC 8446, section 7.1, at the stage
// that it has reached: early, handshake or master.
type keySchedule13 struct {
	secret [secretLen]byte
}

var emptyHash = sm3.Sum(nil)

// start begins the schedule with the PSK of a session, or with none.
func (k *keySchedule13) start(psk []byte) {
	if psk == nil {
		psk = make([]byte, secretLen)
	}
	hkdfExtract(&k.secret, nil, psk)
}

// advance goes to the next stage with an input: the shared secret of the key
// exchange, which is wiped, then nothing.
func (k *keySchedule13) advance(input []byte) {
	salt := expandLabel(k.secret[:], labelDerived, emptyHash[:], secretLen)
	if input == nil {
		input = make([]byte, secretLen)
	}
	hkdfExtract(&k.secret, salt, input)
	clear(salt)
	clear(input)
}

// derive returns a secret of the present stage for the hash of the transcript.
func (k *keySchedule13) derive(label string, transcript []byte) []byte {
	return expandLabel(k.secret[:], label, transcript, secretLen)
}

func (k *keySchedule13) wipe() { clear(k.secret[:]) }

// hkdfExtract is HKDF-Extract with SM3 (RFC 5869, section 2.2).
func hkdfExtract(out *[secretLen]byte, salt, input []byte) {
	var m hmacSM3
	m.init(salt) // which HMAC fills up with zeros
	m.begin()
	m.h.Write(input)
	copy(out[:], m.finish())
	m.wipe()
}

// expandLabel is HKDF-Expand-Label with SM3 (RFC 8446, section 7.1). label and
// context are those of the standard or checked, thus short enough.
func expandLabel(secret []byte, label string, context []byte, length int) []byte {
	info := make([]byte, 0, 2+1+len(labelPrefix13)+len(label)+1+len(context))
	info = append(info, byte(length>>8), byte(length), byte(len(labelPrefix13)+len(label)))
	info = append(append(info, labelPrefix13...), label...)
	info = appendVector8(info, context)
	return hkdfExpand(secret, info, length)
}

// hkdfExpand is HKDF-Expand with SM3 (RFC 5869, section 2.3), for at most 255
// blocks.
func hkdfExpand(secret, info []byte, length int) []byte {
	var m hmacSM3
	m.init(secret)
	out := make([]byte, 0, length+sm3.Size)
	var last []byte
	for n := byte(1); len(out) < length; n++ {
		m.begin()
		m.h.Write(last)
		m.h.Write(info)
		m.h.Write([]byte{n})
		out = append(out, m.finish()...)
		last = out[len(out)-sm3.Size:]
	}
	m.wipe()
	clear(out[length:])
	return out[:length:length]
}

// finishedMAC is the contents of a Finished message, or a PSK binder, under the
// secret of its sender (RFC 8446, section 4.4.4).
func finishedMAC(secret, transcript []byte) []byte {
	key := expandLabel(secret, labelFinished, nil, secretLen)
	var m hmacSM3
	m.init(key)
	m.begin()
	m.h.Write(transcript)
	mac := append([]byte(nil), m.finish()...)
	m.wipe()
	clear(key)
	return mac
}

// trafficCipher makes the record protection of a traffic secret (section 7.3).
func trafficCipher(s *suite, secret []byte) (recordCipher, error) {
	key := expandLabel(secret, labelKey, nil, sm4KeyLen)
	defer clear(key)
	return newAEADCipher(s, key, expandLabel(secret, labelIV, nil, aeadNonceLen))
}

// nextTrafficSecret returns the secret that follows by a key update (section 7.2).
func nextTrafficSecret(secret []byte) []byte {
	return expandLabel(secret, labelTrafficUpdate, nil, secretLen)
}
