// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// SourceConfig describes a source.
type SourceConfig struct {
	// Role names the source, for example "peer.server". A process has one
	// source of each role.
	Role string
	// Load reads the material. It is called by NewSource and at every reload.
	Load func() (Material, error)
	// ServerMode is the mode of the role's listeners at start; empty if the
	// role does not listen.
	ServerMode ServerMode
	// ClientMode is the mode of the role's dialers at start; empty if the role
	// does not dial.
	ClientMode ClientMode
	// ModeKey is the configuration key that gives the mode at start, for
	// messages to the operator.
	ModeKey string
	// GMProtocols are the GM protocols that listeners speak in the modes dual and
	// gm, and GMClientProtocol is the one that dialers speak in mode gm: "TLCP" or
	// "TLS13"; empty means TLCP.
	GMProtocols      []string
	GMClientProtocol string
	// GMProtocolsKey is the configuration key that gives GMProtocols, or
	// GMClientProtocol of a role that dials, for messages to the operator.
	GMProtocolsKey string
	// GMHybrid makes TLS 1.3 prefer the hybrid key exchange with ML-KEM.
	GMHybrid bool
	// GMCipherSuites are the suites of TLCP, by their names in the standard,
	// that listeners and dialers of the role use, in order of preference;
	// empty means those of gmtls. Suites of SecureOptions go before them.
	GMCipherSuites []string
	// DrainGrace is the time that connections have to end on their own when a
	// new mode does not have their protocol; zero means DefaultDrainGrace.
	DrainGrace time.Duration
	// HandshakesPerAddress bounds the failed handshakes of one address at a
	// listener of the role, up to MaxHandshakes; zero means
	// DefaultHandshakesPerAddress. See failureBurst and failureRate.
	HandshakesPerAddress int
	// RedialForCertificate ends, in the same way, what the role has dialed with
	// a certificate that a reload replaces. It is for peers that look a
	// connection's certificate up in a list: once the list has the new one they
	// refuse every stream of a connection that was opened with the old.
	RedialForCertificate bool
	// CheckRevocation judges every peer whose certificate is verified by the
	// revocation lists of the channels' MSPs and of Files.RevocationLists, in
	// the handshake, when lists change and when their time is over.
	CheckRevocation bool
	// Settings are kept for a caller that sets a role up more than once, and
	// keeps the source while they are the same. They are not looked at here.
	Settings any
}

// Source is the live security material and the mode of one role. Listeners and
// dialers that were made with it read it at every handshake, so that a reload
// or a switch of mode needs no restart. An existing connection
// continues, unless a new mode does not have its protocol or the role redials for
// a new certificate.
type Source struct {
	role       string
	load       func() (Material, error)
	settings   any
	configured modes  // at start
	modeKey    string // names configured in messages
	gmKey      string // likewise, the GM protocols
	grace      time.Duration
	suites     []uint16    // of TLCP; nil: the defaults
	perAddress int         // handshakes of one address at once
	redial     bool        // for a new certificate
	revocation bool        // see SourceConfig.CheckRevocation
	reloading  atomic.Bool // its files are being read, or what was read is being swapped in
	state      atomic.Pointer[sourceState]
	dialed     connGroup // connections of the role's dialers

	endpoints map[*endpoint]struct{} // listeners of the role; protected by registry.mu
	// digests has the last use of each, see registry.byDigest; the map is protected by registry.mu.
	digests map[[32]byte]*atomic.Uint64
	last    *tlsstatus.Outcome // of the last reload or switch; protected by registry.mu
	expiry  []*time.Timer      // see TrackExpiration; protected by registry.mu
}

// sourceState is what a Source holds at one time. It is not changed once stored.
type sourceState struct {
	Material
	serverMode ServerMode
	clientMode ClientMode
	gmSuites   []uint16 // of TLCP; nil: the defaults
	gmServer   []protocol
	gmClient   protocol
	gmHybrid   bool
}

// registry holds the sources of the process.
var registry = struct {
	mu       sync.RWMutex
	byRole   map[string]*Source
	byDigest map[[32]byte][]*Source // by SHA-256 of a certificate bundle in PEM or of a leaf in DER
	fixed    map[*Source]struct{}   // of listeners whose material does not change
	expiry   *expiryTracker         // nil before TrackExpiration
	uses     atomic.Uint64          // counts the uses of digests
}{
	byRole:   make(map[string]*Source),
	byDigest: make(map[[32]byte][]*Source),
	fixed:    make(map[*Source]struct{}),
}

// maxDigests bounds how many earlier certificates of a source are remembered
// for options that were built from their bytes. Of more, the one that was not
// asked for the longest is forgotten.
const maxDigests = 256

// NewSource loads and checks the material and registers the source under its
// role. An earlier source of that role is no longer found, but what was made
// with it continues using it.
func NewSource(config SourceConfig) (*Source, error) {
	if config.Role == "" || config.Load == nil {
		return nil, errors.New("comm: a source needs a role and a way to load its material")
	}
	if err := checkPerAddress(config.HandshakesPerAddress); err != nil {
		return nil, fmt.Errorf("comm: %s: %w", config.Role, err)
	}
	// A time without a unit is one in nanoseconds to those who read it from YAML.
	if config.DrainGrace != 0 && config.DrainGrace < time.Millisecond {
		return nil, fmt.Errorf("comm: %s: DrainGrace is %s: write a time with its unit, such as 60s", config.Role, config.DrainGrace)
	}
	s := newSource(config)
	var err error
	if s.suites, err = suitesByName(config.GMCipherSuites); err != nil {
		return nil, fmt.Errorf("comm: %s: %w", s.role, err)
	}
	gmServer, gmClient, err := gmProtocols(config.GMProtocols, config.GMClientProtocol)
	if err != nil {
		return nil, fmt.Errorf("comm: %s: %w", s.role, err)
	}
	material, err := s.load()
	if err != nil {
		return nil, fmt.Errorf("comm: load material of %s: %w", s.role, err)
	}
	s.configured.gmServer, s.configured.gmClient = gmServer, gmClient
	state, err := s.prepare(material, &sourceState{serverMode: config.ServerMode, clientMode: config.ClientMode, gmServer: gmServer, gmClient: gmClient, gmHybrid: config.GMHybrid})
	if err != nil {
		return nil, err
	}
	if err := s.checkOwn(state, time.Now(), false); err != nil {
		return nil, err
	}
	s.state.Store(state)

	registry.mu.Lock()
	defer registry.mu.Unlock()
	if old := registry.byRole[s.role]; old != nil {
		old.forgetLocked()
		old.stopExpiryLocked()
	}
	registry.byRole[s.role] = s
	setDialerPolicyLocked()
	s.rememberLocked(state)
	s.trackExpiryLocked(state)
	observeCertificates(s.role, state)
	s.observeOwnLists(nil)
	if s.revocation {
		sweeping.Do(func() { go sweepLists(time.Now()) })
	}
	return s, nil
}

// CheckCipherSuites refuses a name that is not that of a TLCP suite. The caller adds the configuration key to the error.
func CheckCipherSuites(names []string) error {
	_, err := suitesByName(names)
	return err
}

// suitesByName finds the suites of TLCP that a configuration names.
func suitesByName(names []string) ([]uint16, error) {
	var ids []uint16
	known := make([]string, 0, len(gmtls.CipherSuites()))
next:
	for _, name := range names {
		known = known[:0]
		for _, suite := range gmtls.CipherSuites() {
			if suite.Name == name {
				ids = append(ids, suite.ID)
				continue next
			}
			known = append(known, suite.Name)
		}
		return nil, fmt.Errorf("TLCP has no cipher suite %q: use %s", name, strings.Join(known, ", "))
	}
	return ids, nil
}

func newSource(config SourceConfig) *Source {
	grace := config.DrainGrace
	if grace <= 0 {
		grace = DefaultDrainGrace
	}
	s := &Source{
		role:       config.Role,
		load:       config.Load,
		settings:   config.Settings,
		configured: modes{server: config.ServerMode, client: config.ClientMode},
		modeKey:    config.ModeKey,
		gmKey:      config.GMProtocolsKey,
		grace:      grace,
		perAddress: config.HandshakesPerAddress,
		redial:     config.RedialForCertificate,
		revocation: config.CheckRevocation,
		endpoints:  make(map[*endpoint]struct{}),
		digests:    make(map[[32]byte]*atomic.Uint64),
	}
	s.dialed = connGroup{role: config.Role, source: s}
	return s
}

// LookupSource returns the source of the role, or nil if there is none.
func LookupSource(role string) *Source {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	return registry.byRole[role]
}

// Settings returns SourceConfig.Settings.
func (s *Source) Settings() any { return s.settings }

// sourceOf returns the source that has presented this certificate bundle (PEM)
// or leaf (DER), or nil. Of several, one whose role dials is preferred.
func sourceOf(certificate []byte) *Source {
	if len(certificate) == 0 {
		return nil
	}
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	digest := sha256.Sum256(certificate)
	found := registry.byDigest[digest]
	if len(found) == 0 {
		return nil
	}
	i := max(0, slices.IndexFunc(found, func(s *Source) bool { return s.state.Load().clientMode != "" }))
	for _, s := range found {
		s.digests[digest].Store(registry.uses.Add(1))
	}
	return found[i]
}

func (s *Source) rememberLocked(state *sourceState) {
	known := [][]byte{state.PEM(), state.certFile}
	if state.Std != nil {
		known = append(known, state.Std.Certificate[0])
	}
	if state.GM != nil {
		known = append(known, state.GM.Certificate[0])
	}
	for _, certificate := range known {
		if len(certificate) == 0 {
			continue
		}
		digest := sha256.Sum256(certificate)
		if s.digests[digest] == nil {
			s.makeRoomLocked()
			s.digests[digest] = new(atomic.Uint64)
			registry.byDigest[digest] = append(registry.byDigest[digest], s)
		}
		s.digests[digest].Store(registry.uses.Add(1))
	}
}

// makeRoomLocked forgets the digest that was not used the longest, if there are too many.
func (s *Source) makeRoomLocked() {
	if len(s.digests) < maxDigests {
		return
	}
	var oldest [32]byte
	least := uint64(math.MaxUint64)
	for digest, used := range s.digests {
		if n := used.Load(); n < least {
			oldest, least = digest, n
		}
	}
	s.forgetDigestLocked(oldest)
}

func (s *Source) forgetLocked() {
	for digest := range s.digests {
		s.forgetDigestLocked(digest)
	}
}

func (s *Source) forgetDigestLocked(digest [32]byte) {
	delete(s.digests, digest)
	others := slices.DeleteFunc(registry.byDigest[digest], func(other *Source) bool { return other == s })
	if len(others) == 0 {
		delete(registry.byDigest, digest)
	} else {
		registry.byDigest[digest] = others
	}
}

// prepare checks material for the modes and protocols of another state.
func (s *Source) prepare(m Material, as *sourceState) (*sourceState, error) {
	state := &sourceState{
		Material: m, serverMode: as.serverMode, clientMode: as.clientMode, gmSuites: s.suites, gmServer: as.gmServer, gmClient: as.gmClient, gmHybrid: as.gmHybrid,
	}
	if err := checkAgreement(s.role, state.GM, state.gmSuites); err != nil {
		return nil, err
	}
	return state, s.checkModes(state)
}

// speaksTLS13 reports whether a listener or a dialer of the role presents its pair in TLS 1.3.
func (state *sourceState) speaksTLS13() bool {
	return state.serverMode.GM() && slices.Contains(state.gmServer, protocolTLS13) || state.clientMode == ClientGM && state.gmClient == protocolTLS13
}

// checkModes refuses what BCCSP.GM.Strict does not allow, and a mode for which a certificate is missing or unfit. A role that
// only dials may have no certificate at all; if it has one for TLS, mode gm
// demands the pair for TLCP, or client authentication would vanish unnoticed.
func (s *Source) checkModes(state *sourceState) error {
	if err := refuseHybridInStrict(s.role, state.gmHybrid); err != nil {
		return err
	}
	if state.serverMode != "" {
		if err := refuseInStrict(fmt.Sprintf("%s would listen in mode %s", s.role, state.serverMode), state.serverMode == ModeGM); err != nil {
			return err
		}
		if err := checkServerPairs(s.role, state.serverMode, state.Material); err != nil {
			return err
		}
	}
	if state.clientMode != "" {
		if err := refuseInStrict(fmt.Sprintf("%s would dial in mode %s", s.role, state.clientMode), state.clientMode == ClientGM); err != nil {
			return err
		}
	}
	if state.GM != nil && state.speaksTLS13() {
		if err := gmx509.CheckTLS13Usage(state.GM.Leaf); err != nil {
			return fmt.Errorf("comm: %s cannot speak TLS 1.3 with GM suites: %w", s.role, err)
		}
	}
	if state.clientMode == ClientGM && state.Std != nil && state.GM == nil {
		return fmt.Errorf("comm: %s cannot dial in mode gm: it has no SM2 signing and encryption pair; configure one", s.role)
	}
	if state.clientMode == ClientTLS && state.GM != nil && state.Std == nil && state.serverMode != ModeGM {
		return fmt.Errorf("comm: %s cannot dial in mode tls: it has no certificate for TLS; configure one or set the client mode to gm", s.role)
	}
	return nil
}

func checkServerPairs(role string, mode ServerMode, m Material) error {
	if m.Std == nil && mode.TLS() {
		return fmt.Errorf("comm: listener %s cannot be in mode %s: it has no certificate for TLS; configure one or set the mode to gm", roleName(role), mode)
	}
	if m.GM == nil && mode.GM() {
		return fmt.Errorf("comm: listener %s cannot be in mode %s: it has no SM2 signing and encryption pair; configure one or set the mode to tls", roleName(role), mode)
	}
	return nil
}

// Modes returns the present modes. A mode is empty if the role does not listen or
// does not dial.
func (s *Source) Modes() (ServerMode, ClientMode) {
	state := s.state.Load()
	return state.serverMode, state.clientMode
}

// Material returns the present material.
func (s *Source) Material() Material { return s.state.Load().Material }

// ClientCertificate returns the certificate of the family that the present
// client mode needs. In mode gm it is that of SecureOptions.ClientCertificate.
func (s *Source) ClientCertificate() (tls.Certificate, error) {
	state := s.state.Load()
	return state.clientCertificate(s.role, state.clientMode)
}

func (m Material) clientCertificate(role string, mode ClientMode) (tls.Certificate, error) {
	if mode == ClientGM {
		if m.GM == nil {
			return tls.Certificate{}, fmt.Errorf("comm: dialer %s is in mode gm and must present a certificate, but has no SM2 signing and encryption pair", roleName(role))
		}
		return shown(m.GM), nil
	}
	if m.Std == nil {
		return tls.Certificate{}, fmt.Errorf("comm: dialer %s is in mode tls and must present a certificate, but has none for TLS", roleName(role))
	}
	return *m.Std, nil
}

func (m Material) serverCertificate(mode ServerMode) tls.Certificate {
	switch {
	case mode == ModeGM && m.GM != nil:
		return shown(m.GM)
	case m.Std != nil:
		return *m.Std
	}
	return tls.Certificate{}
}

// shown returns the certificates of a TLCP pair in the type that upstream's
// signatures have. Upstream hashes the first, and hands the value back to
// CredentialSupport, which finds the source by it. The keys stay here.
func shown(pair *gmtls.Certificate) tls.Certificate {
	return tls.Certificate{Certificate: pair.Certificate, Leaf: pair.Leaf}
}

// isShown reports whether a certificate has no key, as those of shown.
func isShown(cert tls.Certificate) bool {
	return len(cert.Certificate) != 0 && cert.PrivateKey == nil
}

// checkValidity refuses certificates outside their validity period. It guards
// swaps only: at start upstream accepts them and warns.
func (m Material) checkValidity(role string, now time.Time) error {
	for _, cert := range m.certificates() {
		if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
			return fmt.Errorf("comm: certificate %q (serial %s) of %s is valid from %s to %s only", cert.Subject, cert.SerialNumber, role,
				cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// gmCertificates wraps the pair for a gmtls.Config.
func (m Material) gmCertificates() []gmtls.Certificate {
	if m.GM == nil {
		return nil
	}
	return []gmtls.Certificate{*m.GM}
}
