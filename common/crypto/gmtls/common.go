// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Protocol versions.
const (
	// VersionTLCP is TLCP (GB/T 38636-2020, 6.3.3.2).
	VersionTLCP uint16 = 0x0101
	// VersionTLS13 is TLS 1.3 (RFC 8446) with the algorithms SM2, SM3 and SM4
	// (RFC 8998), and with no others.
	VersionTLS13 uint16 = 0x0304
)

// Cipher suites of GB/T 38636-2020, 6.4.5.2.1, table 2. In the ECC suites the
// client encrypts the pre-master secret under the server's encryption
// certificate; in the ECDHE suites both run the SM2 key exchange of GB/T
// 32918.3, which needs a certificate pair at both ends.
const (
	ECDHE_SM4_CBC_SM3 uint16 = 0xE011
	ECC_SM4_CBC_SM3   uint16 = 0xE013
	ECDHE_SM4_GCM_SM3 uint16 = 0xE051
	ECC_SM4_GCM_SM3   uint16 = 0xE053
)

// Cipher suites of TLS 1.3 (RFC 8998, section 2). They say nothing about the key
// exchange, which always gives forward secrecy: see [CurveID].
const (
	TLS_SM4_GCM_SM3 uint16 = 0x00C6
	TLS_SM4_CCM_SM3 uint16 = 0x00C7
)

// CurveID is a group for the key exchange of TLS 1.3.
type CurveID uint16

const (
	// CurveSM2 is ECDHE on the SM2 curve (RFC 8998, section 3.1).
	CurveSM2 CurveID = 41
	// CurveSM2MLKEM768 is CurveSM2 and ML-KEM-768 together: the secret stays one
	// while either of them holds. It is in a draft (draft-yang-tls-hybrid-sm2-mlkem)
	// and is not standardised yet.
	CurveSM2MLKEM768 CurveID = 0x11EE
)

// String returns the name of the group, or its number in hexadecimal form.
func (id CurveID) String() string {
	switch id {
	case CurveSM2:
		return "curveSM2"
	case CurveSM2MLKEM768:
		return "curveSM2MLKEM768"
	}
	return "0x" + upperHex(uint16(id))
}

// Older names of two suites.
const (
	GMTLS_SM2_WITH_SM4_SM3       = ECC_SM4_CBC_SM3
	GMTLS_ECDHE_SM2_WITH_SM4_SM3 = ECDHE_SM4_CBC_SM3
)

// CipherSuite describes a cipher suite.
type CipherSuite struct {
	ID   uint16
	Name string
}

// CipherSuites lists the suites of TLCP that this package implements, in the
// order of preference that a Config without CipherSuites uses.
func CipherSuites() []*CipherSuite { return publicSuites(cipherSuites) }

// CipherSuitesTLS13 is CipherSuites for TLS 1.3.
func CipherSuitesTLS13() []*CipherSuite { return publicSuites(cipherSuites13) }

func publicSuites(list []*suite) []*CipherSuite {
	suites := make([]*CipherSuite, 0, len(list))
	for _, s := range list {
		suites = append(suites, &CipherSuite{ID: s.id, Name: s.name})
	}
	return suites
}

// CipherSuiteName returns the name of the suite under the standard, or its
// number in hexadecimal form if the package does not know it.
func CipherSuiteName(id uint16) string {
	if s := suiteByID(id); s != nil {
		return s.name
	}
	return "0x" + upperHex(id)
}

// VersionName returns the name of the version, or its number in hexadecimal
// form if this package does not speak it.
func VersionName(version uint16) string {
	switch version {
	case VersionTLCP:
		return "TLCP 1.1"
	case VersionTLS13:
		return "TLS 1.3"
	}
	return "0x" + upperHex(version)
}

func upperHex(v uint16) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15]})
}

// ClientAuthType is the server's policy for client certificates.
type ClientAuthType int

const (
	// NoClientCert asks for no certificate.
	NoClientCert ClientAuthType = iota
	// RequestClientCert asks for a certificate; one that is sent is not
	// verified against ClientCAs, but its signature over the handshake is.
	RequestClientCert
	// RequireAnyClientCert demands a certificate and does not verify it
	// against ClientCAs.
	RequireAnyClientCert
	// VerifyClientCertIfGiven asks for a certificate and verifies one that is sent.
	VerifyClientCertIfGiven
	// RequireAndVerifyClientCert demands a certificate and verifies it.
	RequireAndVerifyClientCert
)

// String returns the name of the policy.
func (t ClientAuthType) String() string {
	names := [...]string{
		"NoClientCert", "RequestClientCert", "RequireAnyClientCert",
		"VerifyClientCertIfGiven", "RequireAndVerifyClientCert",
	}
	if t < 0 || int(t) >= len(names) {
		return "ClientAuthType(" + strconv.Itoa(int(t)) + ")"
	}
	return names[t]
}

func (t ClientAuthType) demanded() bool {
	return t == RequireAnyClientCert || t == RequireAndVerifyClientCert
}

func (t ClientAuthType) verified() bool {
	return t == VerifyClientCertIfGiven || t == RequireAndVerifyClientCert
}

// Certificate is a certificate pair with its private keys.
type Certificate struct {
	// Certificate holds DER: the signing certificate, the encryption
	// certificate, then the intermediates that lead to the root, in any order.
	// A client's may hold the signing certificate alone (see
	// Config.SingleClientCertificate).
	Certificate [][]byte

	// PrivateKey belongs to the signing certificate. It is a crypto.Signer
	// whose public key is an *ecdsa.PublicKey on the SM2 curve. Sign returns the
	// ASN.1 form of the SM2 signature. In TLCP it gets the whole message and
	// sm2.DefaultSM2SignerOpts, and signs under the default identity. In TLS 1.3 it
	// gets e, the digest of 32 bytes in which Z of another identity already is,
	// and crypto.Hash(0), and signs e as it is. A key in a device must honour both.
	PrivateKey crypto.PrivateKey

	// EncPrivateKey belongs to the encryption certificate: a crypto.Decrypter
	// for the ECC suites, an [SM2KeyAgreer] for the ECDHE suites.
	// *sm2.PrivateKey serves for both. Decrypt gets an ASN.1 ciphertext and
	// sm2.ASN1DecrypterOpts.
	EncPrivateKey crypto.PrivateKey

	// Leaf and EncLeaf are the parsed forms of the first two certificates.
	// X509KeyPair fills them in; if nil they are parsed at each handshake.
	Leaf, EncLeaf *x509.Certificate
}

// SM2KeyAgreer is a private key that can take part in the SM2 key exchange of
// GB/T 32918.3 without leaving its device.
type SM2KeyAgreer interface {
	// Public returns the static public key.
	Public() crypto.PublicKey
	// NewKeyAgreement generates an ephemeral key and returns a run of the
	// exchange. The initiator is the side that the standard calls A.
	NewKeyAgreement(rand io.Reader, initiator bool) (SM2KeyAgreement, error)
}

// SM2KeyAgreement is one run of the SM2 key exchange. It is used once.
type SM2KeyAgreement interface {
	// EphemeralPublic returns the ephemeral public key as an uncompressed
	// point, 65 bytes.
	EphemeralPublic() []byte
	// Agree returns keyLen bytes of key for the peer's static key and its
	// ephemeral key (an uncompressed point, 65 bytes), both identities being
	// the default one.
	Agree(peerStatic *ecdsa.PublicKey, peerEphemeral []byte, keyLen int) ([]byte, error)
}

// ConnectionState reports what was negotiated and who the peer is.
type ConnectionState struct {
	Version            uint16
	HandshakeComplete  bool
	DidResume          bool // by session identifier, or by PSK in TLS 1.3
	CipherSuite        uint16
	CurveID            CurveID // of the key exchange; zero in TLCP
	NegotiatedProtocol string  // ALPN; empty if none
	ServerName         string  // SNI; on the client the name that it verified

	// PeerCertificates holds what the peer sent, in its order: signing
	// certificate, encryption certificate (TLCP), intermediates. Public keys on the
	// SM2 curve are *ecdsa.PublicKey with sm2.P256() as curve. The
	// certificates are shared and must not be changed.
	PeerCertificates []*x509.Certificate

	// VerifiedChains holds the chains of the signing certificate, leaf first;
	// nil if the peer's certificates were not verified.
	VerifiedChains [][]*x509.Certificate

	// EncVerifiedChains holds the chains of the encryption certificate.
	EncVerifiedChains [][]*x509.Certificate
}

// ClientHelloInfo is what a server knows when it chooses a certificate or a
// configuration.
type ClientHelloInfo struct {
	CipherSuites      []uint16
	ServerName        string
	SupportedProtos   []string
	SupportedVersions []uint16
	Extensions        []uint16 // extension types in the order received
	Conn              net.Conn // the underlying connection; not to be read or written

	ctx context.Context
}

// Context returns the context of the handshake.
func (h *ClientHelloInfo) Context() context.Context { return h.ctx }

// CertificateRequestInfo is what a client knows when it chooses a certificate.
type CertificateRequestInfo struct {
	AcceptableCAs [][]byte // DER of the names; empty: any
	Version       uint16
	CipherSuite   uint16

	ctx context.Context
}

// Context returns the context of the handshake.
func (r *CertificateRequestInfo) Context() context.Context { return r.ctx }

// Config configures a client or a server. After it has been passed to a function of
// this package it must not be changed, except as its fields say. Many connections
// may use it at once. Clone makes a copy that may be changed.
type Config struct {
	// Rand is the source of randomness; nil means crypto/rand. It must be
	// safe for use by several goroutines.
	Rand io.Reader

	// Time returns the current time; nil means time.Now.
	Time func() time.Time

	// Versions lists the protocols that are spoken; nil means TLCP alone. The
	// first record of a client tells a server which of them it is. A client names
	// one: the protocols share no ClientHello, and none is tried after the other.
	Versions []uint16

	// Certificates holds the pairs to present. TLS 1.3 presents the signing
	// certificate and the intermediates. A server chooses by SNI, the
	// first one being the default; a client takes the first one that the
	// server's list of authorities allows.
	Certificates []Certificate

	// GetCertificate, if not nil, chooses the server's certificate. If it
	// returns nil, Certificates is used.
	GetCertificate func(*ClientHelloInfo) (*Certificate, error)

	// GetClientCertificate, if not nil, chooses the client's certificate and
	// Certificates is not used. A returned Certificate without any
	// certificate in it means to send none. Returning nil is an error.
	GetClientCertificate func(*CertificateRequestInfo) (*Certificate, error)

	// GetConfigForClient, if not nil, may return a Config for this client;
	// nil means to continue with the present one.
	GetConfigForClient func(*ClientHelloInfo) (*Config, error)

	// VerifyPeerCertificate, if not nil, is called after the normal
	// verification, or instead of it where the configuration asks for none.
	// It gets the DER of what the peer sent and the verified chains of the
	// signing certificate. Other than in crypto/tls it is called for resumed
	// sessions as well, so that a revocation check cannot be passed by.
	VerifyPeerCertificate func(rawCerts [][]byte, verifiedChains [][]*x509.Certificate) error

	// VerifyConnection, if not nil, is called after VerifyPeerCertificate, for
	// every connection, resumed or not.
	VerifyConnection func(ConnectionState) error

	// RootCAs are the authorities that a client accepts. There are no built-in
	// ones: nil accepts nobody.
	RootCAs *smx509.CertPool

	// ClientCAs are the authorities that a server accepts for clients. nil
	// accepts nobody.
	ClientCAs *smx509.CertPool

	// Authorities are the certificates in RootCAs and ClientCAs, which these
	// pools do not give out. They say why a peer without a chain has none, and
	// serve for nothing else: see gmx509.Explain. nil explains nothing.
	Authorities []*x509.Certificate

	// ClientAuth is the server's policy for client certificates.
	ClientAuth ClientAuthType

	// NextProtos lists the application protocols in order of preference (ALPN).
	NextProtos []string

	// ServerName is the name that the server's certificates must carry and
	// that is sent as SNI unless it is an IP address. A client needs it
	// unless InsecureSkipVerify is set.
	ServerName string

	// InsecureSkipVerify makes a client accept any certificates and any name.
	// VerifyPeerCertificate and VerifyConnection are still called.
	InsecureSkipVerify bool

	// CipherSuites lists the enabled suites of all Versions in order of
	// preference; nil means all, as CipherSuites and CipherSuitesTLS13 give them.
	// A version of which it lists none is refused. A client leaves the ECDHE suites out
	// where it has no pair. A server whose ClientAuth is NoClientCert chooses
	// an ECDHE suite only if it is listed here, and then demands a pair.
	CipherSuites []uint16

	// CurvePreferences lists the groups of TLS 1.3's key exchange in order of
	// preference; nil means CurveSM2 alone. A client offers a key for the first
	// one. A server chooses the first one that the client knows, and asks it to
	// begin again if it offered no key for it.
	CurvePreferences []CurveID

	// PreferServerCipherSuites makes the server's order decide, not the client's.
	PreferServerCipherSuites bool

	// SessionTicketsDisabled turns resumption off at this end. The name is
	// that of crypto/tls; TLCP resumes by session identifier, TLS 1.3 by a ticket
	// that is one.
	SessionTicketsDisabled bool

	// ClientSessionCache keeps a client's sessions; nil means no resumption. A
	// session in which a client presented a certificate is resumed only while
	// that certificate is among Certificates, and never with
	// GetClientCertificate, which might choose another one now.
	ClientSessionCache ClientSessionCache

	// ServerSessionCache keeps a server's sessions; nil means no resumption.
	ServerSessionCache ServerSessionCache

	// SessionLifetime is the time for which a session can be resumed, at
	// either end; zero means one hour, and more than a day counts as a day.
	SessionLifetime time.Duration

	// ChainCache keeps verified chains, so that a peer that is met again costs
	// no chain building; nil keeps nothing. It must not be set where RootCAs or
	// ClientCAs have certificates with constraints.
	ChainCache *ChainCache

	// MaxHandshakeSize is the greatest size in bytes of a handshake message
	// that is accepted; zero means 64 KiB.
	MaxHandshakeSize int

	// HandshakeTimeout is the time that a handshake may take in all, whatever
	// the context says; zero means 30 seconds, negative means no limit.
	HandshakeTimeout time.Duration

	// AllowUnpairedCertificates drops the demand that the two certificates of
	// a peer have the same subject and the same issuer.
	AllowUnpairedCertificates bool

	// SingleClientCertificate makes a client send its signing certificate
	// without the encryption certificate in the ECC suites, for GmSSL servers.
	SingleClientCertificate bool

	// VectorClientParams makes a client put the length in front of its params in
	// the ClientKeyExchange of the ECDHE suites, as the standard says
	// (6.4.5.7) and GmSSL wants it from version 3.3 on; the other stacks want
	// them bare. Nothing that a server sends before tells which it takes.
	// Servers of this package take both.
	VectorClientParams bool

	// OmitExtensions makes a client send no extension, thus neither SNI nor
	// ALPN, for servers that refuse any.
	OmitExtensions bool

	// OmitMiddleboxCompatibility makes a client of TLS 1.3 send neither a session
	// identifier nor ChangeCipherSpec, which mean nothing there (RFC 8446,
	// appendix D.4), for servers that ask for a certificate and fail over the
	// latter in front of it (GmSSL 3.3).
	OmitMiddleboxCompatibility bool

	// RawTranscriptVerify makes CertificateVerify, sent or received, sign the
	// handshake messages themselves instead of their SM3 hash, as GmSSL does
	// from version 3.2 on. Both ends must agree; the default is what the other
	// stacks do.
	RawTranscriptVerify bool

	// KeyLogWriter, if not nil, gets the secrets in NSS key log format,
	// for debugging. Its use destroys the secrecy of the connections.
	KeyLogWriter io.Writer

	// Trace, if not nil, is called for every record, handshake message and
	// alert that is sent or received. It is called on the goroutine that does
	// the work, possibly by a reader and a writer at once, and must not block.
	Trace func(TraceEvent)
}

// Clone returns a shallow copy of c, or nil if c is nil. Session and chain
// caches are shared with the copy.
func (c *Config) Clone() *Config {
	if c == nil {
		return nil
	}
	clone := *c
	return &clone
}

// suites returns the enabled suites of the version in order of preference.
func (c *Config) suites(version uint16) []uint16 {
	if c.CipherSuites == nil {
		return defaultSuites[version]
	}
	listed := make([]uint16, 0, len(c.CipherSuites))
	for _, id := range c.CipherSuites {
		if s := suiteByID(id); s != nil && s.version() == version && !slices.Contains(listed, id) {
			listed = append(listed, id)
		}
	}
	return listed
}

// suiteListed reports whether a suite is enabled for the version.
func (c *Config) suiteListed(version, id uint16) bool {
	return slices.Contains(c.suites(version), id)
}

// speaks reports whether the version is among Versions.
func (c *Config) speaks(version uint16) bool {
	if c.Versions == nil {
		return version == VersionTLCP
	}
	return slices.Contains(c.Versions, version)
}

// groups returns the groups of TLS 1.3 in order of preference.
func (c *Config) groups() []CurveID {
	if c.CurvePreferences == nil {
		return defaultGroups
	}
	return c.CurvePreferences
}
