// SPDX-License-Identifier: Apache-2.0

package keyd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// The protocol: a client sends a request and reads its response, then the next, on one connection.
//
//	request   length(4) version(1) operation(1) milliseconds(4) length of name(2) name payload
//	response  length(4) version(1) status(1) payload
//
// Numbers are big-endian; length counts what follows it.
const (
	wireVersion    = 1
	requestHeader  = 8
	responseHeader = 2

	// MaxMessage bounds what a key signs that hashes by itself, in bytes; other payloads are far smaller.
	MaxMessage = 128 << 20
	// maxSmall bounds the payload of all other requests.
	maxSmall = 8 << 10
	// maxResponse bounds a response.
	maxResponse = 4 << 20
	// MaxRandom bounds one request for random bytes.
	MaxRandom = 4 << 10
)

// Operation is what a request asks for.
type Operation byte

// Operations. Name is the URI of a key, or of a device if the comment says so.
const (
	OpPublic      Operation = 1 + iota // -> SubjectPublicKeyInfo
	OpSignDigest                       // hash, for SM2 e = SM3(Z || message) -> signature in DER
	OpSignMessage                      // message -> signature in DER, for tokens that hash
	OpDecrypt                          // SM2 ciphertext in DER (GM/T 0009, section 7.2) -> plaintext
	OpRandom                           // number of bytes (4); name: device, or empty for the first that gives random bytes -> bytes
	OpList                             // -> JSON, []KeyState
	OpStatus                           // -> JSON, Status
	OpMetrics                          // -> text in the format of Prometheus
)

// names of operations in errors and metrics.
var operationNames = [...]string{"", "public", "sign", "sign-message", "decrypt", "random", "list", "status", "metrics"}

// String returns the name of the operation.
func (o Operation) String() string {
	if int(o) < len(operationNames) && o != 0 {
		return operationNames[o]
	}
	return fmt.Sprintf("operation %d", byte(o))
}

// Code is the result of an operation.
type Code byte

// Codes.
const (
	OK          Code = iota
	BadRequest       // the request has no meaning
	Denied           // this user may not use the key
	NoKey            // no such key, or more than one
	Unavailable      // the device cannot be reached, or not in time; later it may be
	Failed           // the device refused the operation
	OtherForm        // the key signs messages where a digest was given, or the other way round
	Unusable         // the key is there, but its PIN is wrong or its self-test failed
	WrongKey         // the device has another key than the reference says; clients find it, daemons never send it
)

// Request is one request.
type Request struct {
	Op      Operation
	Timeout time.Duration // for the daemon, which has until then to find a session
	Name    string
	Payload []byte
}

// KeyState is one key of a device, as OpList returns it.
type KeyState struct {
	URI    string
	Device string
	Kind   string // SM2, P-256, P-384, P-521
	Use    []string
	Error  string `json:",omitempty"` // why it cannot be used
	Spare  bool   `json:",omitempty"` // that it cannot be used is no fault
}

// DeviceState is one device, as OpStatus returns it.
type DeviceState struct {
	Name     string
	Type     string
	Ready    bool
	Sessions int
	Busy     int
	Error    string     `json:",omitempty"` // why it is not ready
	Notes    []string   `json:",omitempty"` // what it lacks
	Keys     []KeyState `json:",omitempty"`
}

// Status is the state of the daemon.
type Status struct {
	Healthy bool
	Devices []DeviceState
}

// AppendRequest appends the encoded request to b.
func AppendRequest(b []byte, r Request) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(requestHeader+len(r.Name)+len(r.Payload)))
	b = append(b, wireVersion, byte(r.Op))
	b = binary.BigEndian.AppendUint32(b, uint32(min(max(r.Timeout.Milliseconds(), 0), 1<<31)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Name)))
	b = append(b, r.Name...)
	return append(b, r.Payload...)
}

// ErrProtocol says that the other end does not speak this protocol.
var ErrProtocol = errors.New("keyd: protocol error")

// ReadRequest reads a request. large returns nil if a payload above a few KiB may be read for the operation and the name; it is
// asked before any of it is read, and its error is returned.
func ReadRequest(r io.Reader, large func(Request) error) (Request, error) {
	var head [4 + requestHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Request{}, err
	}
	length := int(binary.BigEndian.Uint32(head[:]))
	nameLen := int(binary.BigEndian.Uint16(head[10:]))
	payloadLen := length - requestHeader - nameLen
	req := Request{
		Op:      Operation(head[5]),
		Timeout: time.Duration(binary.BigEndian.Uint32(head[6:])) * time.Millisecond,
	}
	switch {
	case head[4] != wireVersion:
		return Request{}, fmt.Errorf("%w: version %d, want %d", ErrProtocol, head[4], wireVersion)
	case payloadLen < 0 || nameLen > maxURI:
		return Request{}, fmt.Errorf("%w: lengths do not fit", ErrProtocol)
	case payloadLen > maxSmall && (req.Op != OpSignMessage || payloadLen > MaxMessage):
		return Request{}, fmt.Errorf("%w: %v with %d bytes", ErrProtocol, req.Op, payloadLen)
	}
	body, err := readBody(r, nameLen)
	if err != nil {
		return Request{}, err
	}
	req.Name = string(body)
	if payloadLen > maxSmall {
		if err := large(req); err != nil {
			return req, err
		}
	}
	req.Payload, err = readBody(r, payloadLen)
	return req, err
}

// readBody reads n bytes. Memory is taken as they come, not as they are announced.
func readBody(r io.Reader, n int) ([]byte, error) {
	if n <= maxSmall {
		b := make([]byte, n)
		_, err := io.ReadFull(r, b)
		return b, err
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(b) != n {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// AppendResponse appends the encoded response to b.
func AppendResponse(b []byte, code Code, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(responseHeader+len(payload)))
	b = append(b, wireVersion, byte(code))
	return append(b, payload...)
}

// readResponse reads a response.
func readResponse(r io.Reader) (Code, []byte, error) {
	var head [4 + responseHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if head[4] != wireVersion || length < responseHeader || length > maxResponse {
		return 0, nil, fmt.Errorf("%w: answer of version %d with %d bytes", ErrProtocol, head[4], length)
	}
	body, err := readBody(r, int(length)-responseHeader)
	return Code(head[5]), body, err
}
