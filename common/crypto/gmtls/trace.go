// SPDX-License-Identifier: Apache-2.0

package gmtls

// TraceKind is the kind of a TraceEvent.
type TraceKind uint8

const (
	// TraceRecord is a record; Type is its content type.
	TraceRecord TraceKind = iota + 1
	// TraceHandshake is a handshake message; Type is its message type.
	TraceHandshake
	// TraceAlert is an alert; Type is its level and Alert its description.
	TraceAlert
)

// TraceEvent is one record, handshake message or alert as Config.Trace gets it.
// It holds no secret: contents are given only where they crossed the wire in
// the clear.
type TraceEvent struct {
	Kind      TraceKind
	Sent      bool // by this end; otherwise received
	Encrypted bool // protected by the negotiated keys
	Type      uint8
	Name      string // of the type, for printing
	Alert     AlertError
	Version   uint16 // of the record header, for records

	// Length in bytes: of the record's body as it is on the wire, or of the
	// handshake message with its header of 4 bytes, or 2 for an alert.
	Length int

	// Data is the handshake message with its header, if it was in the clear;
	// nil otherwise. It is valid during the call only.
	Data []byte
}

func recordTypeName(typ uint8) string {
	switch typ {
	case recordChangeCipherSpec:
		return "ChangeCipherSpec"
	case recordAlert:
		return "Alert"
	case recordHandshake:
		return "Handshake"
	case recordApplicationData:
		return "ApplicationData"
	}
	return "unknown"
}

func handshakeTypeName(typ uint8) string {
	switch typ {
	case msgHelloRequest:
		return "HelloRequest"
	case msgClientHello:
		return "ClientHello"
	case msgServerHello:
		return "ServerHello"
	case msgNewSessionTicket:
		return "NewSessionTicket"
	case msgEncryptedExts:
		return "EncryptedExtensions"
	case msgKeyUpdate:
		return "KeyUpdate"
	case msgCertificate:
		return "Certificate"
	case msgServerKeyExchange:
		return "ServerKeyExchange"
	case msgCertificateRequest:
		return "CertificateRequest"
	case msgServerHelloDone:
		return "ServerHelloDone"
	case msgCertificateVerify:
		return "CertificateVerify"
	case msgClientKeyExchange:
		return "ClientKeyExchange"
	case msgFinished:
		return "Finished"
	}
	return "unknown"
}

func (c *Conn) traceHandshake(sent, encrypted bool, msg []byte) {
	if c.config.Trace == nil {
		return
	}
	ev := TraceEvent{
		Kind: TraceHandshake, Sent: sent, Encrypted: encrypted,
		Type: msg[0], Name: handshakeTypeName(msg[0]), Length: len(msg),
	}
	if !encrypted {
		ev.Data = msg
	}
	c.config.Trace(ev)
}

func (c *Conn) traceRecord(sent, encrypted bool, typ uint8, version uint16, length int) {
	if c.config.Trace == nil {
		return
	}
	c.config.Trace(TraceEvent{
		Kind: TraceRecord, Sent: sent, Encrypted: encrypted,
		Type: typ, Name: recordTypeName(typ), Version: version, Length: length,
	})
}

func (c *Conn) traceAlert(sent, encrypted bool, level uint8, alert AlertError) {
	if c.config.Trace == nil {
		return
	}
	c.config.Trace(TraceEvent{
		Kind: TraceAlert, Sent: sent, Encrypted: encrypted,
		Type: level, Name: alert.name(), Alert: alert, Length: 2,
	})
}
