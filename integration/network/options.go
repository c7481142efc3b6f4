// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Modes of listeners and dialers.
const (
	ModeTLS  = "tls"  // TLS only, as stock Fabric
	ModeDual = "dual" // TLS and TLCP on the same port; listeners only
	ModeGM   = "gm"   // TLCP only
)

// Algorithms of identities.
const (
	AlgorithmECDSA = "ecdsa"
	AlgorithmGM    = "gm"
	AlgorithmMixed = "mixed" // organisations in turn SM2 and ECDSA, beginning with SM2
)

// Algorithms of a channel's hashes.
const (
	HashSHA256 = "SHA256"
	HashSM3    = "SM3"
)

// What Options.GMProtocol may name.
const (
	GMProtocolTLCP  = "TLCP"
	GMProtocolTLS13 = "TLS13"
)

// Suites are the TLCP cipher suites (GB/T 38636) that Options.Suite may name.
var Suites = []string{"ECC_SM4_GCM_SM3", "ECC_SM4_CBC_SM3", "ECDHE_SM4_GCM_SM3", "ECDHE_SM4_CBC_SM3"}

// Values of Options.Consensus.
const (
	ConsensusRaft = "raft" // survives nodes that crash
	ConsensusBFT  = "bft"  // SmartBFT: survives nodes that lie, up to f of 3f+1
)

// Limits of a standard topology: its ports are laid out in blocks of ten nodes.
const (
	maxOrderers = 9
	maxOrgs     = 20
	maxPeers    = 9
	// leastBFT is the fewest consenters of which SmartBFT tolerates one that is faulty.
	leastBFT = 4
)

// Options choose a standard topology and where it runs. The zero value of each field means its default.
type Options struct {
	// Mode is what listeners speak: tls, dual or gm (default gm).
	Mode string
	// ClientMode is what the nodes' dialers speak: tls or gm (default tls for mode tls, gm otherwise).
	ClientMode string
	// Algorithm of the identities: gm, ecdsa or mixed (default gm).
	Algorithm string
	// Suite restricts TLCP to one suite of Suites (default: the nodes' own preference).
	Suite string
	// Hash is the algorithm of the channel's blocks: HashSHA256 (default) or HashSM3.
	Hash string
	// GMProtocol is what GM means to listeners, dialers and commands: TLCP or TLS13, TLS 1.3 with GM suites (default TLCP).
	// Chaincode servers speak TLCP.
	GMProtocol string
	// MutualTLS makes every gRPC listener demand a client certificate. An ECDHE suite implies it: the key exchange takes a
	// certificate pair of both ends.
	MutualTLS bool
	// Strict makes orderers and peers use only approved algorithms (BCCSP.GM.Strict). It wants mode and algorithm gm.
	Strict bool
	// NoMemo makes orderers and peers compute every verification of a signature again, to compare with. Stock nodes, which have
	// no such setting, always do.
	NoMemo bool

	// Consensus is how orderers agree: raft, or bft with binaries of Fabric 3 (default raft).
	Consensus string

	Orderers int // consenters, 1 to 9 (default 3), 4 to 9 for bft (default 4)
	Orgs     int // peer organisations, 1 to 20 (default 2)
	Peers    int // peers of each organisation, 1 to 9 (default 2)
	BasePort int // first of the ports in use (default 7050)

	// BatchTimeout is how long the orderer waits for more transactions before it cuts a block (default 500 ms).
	BatchTimeout time.Duration
	// MaxMessages is the most transactions in a block (default 500).
	MaxMessages int

	// LogSpec is the logging specification of orderers and peers (default info).
	LogSpec string

	// Dir is the state directory, created by Up and removed by Down (default build/network).
	Dir string
	// Bin is the directory with peer, orderer, cryptogen, configtxgen, osnadmin, asset and ccaas (default build/bin).
	Bin string
	// Relayed puts a relay in front of every service, see Network.Relays. It lives in the process that calls Up, so it is for
	// tests.
	Relayed bool
	// Isolated puts every node into a separate network namespace, where Disconnect and LosePackets can break its connection.
	// The caller must be root in namespaces that it has made for itself, see isolate.
	Isolated bool
	// Keys is where the SM2 keys of nodes and users are: in files if empty, or in a simulated device behind gmkeyd, KeysSDF or
	// KeysPKCS11. Natively only.
	Keys string
	// CA is the folder of fabric-ca-server and fabric-ca-client. If it is set, every organisation has its own authority, see
	// ca.go; otherwise cryptogen makes all certificates.
	CA string
	// Docker runs the nodes as containers of the images that make docker builds.
	Docker bool
}

// withDefaults fills in what is not set and checks the rest.
func (o Options) withDefaults() (Options, error) {
	setDefault(&o.Mode, ModeGM)
	setDefault(&o.Algorithm, AlgorithmGM)
	setDefault(&o.Hash, HashSHA256)
	if o.ClientMode == "" && o.Mode != ModeTLS {
		o.ClientMode = ModeGM
	}
	setDefault(&o.ClientMode, ModeTLS)
	setDefault(&o.Consensus, ConsensusRaft)
	if o.Consensus == ConsensusBFT {
		setDefault(&o.Orderers, leastBFT)
	}
	setDefault(&o.Orderers, 3)
	setDefault(&o.Orgs, 2)
	setDefault(&o.Peers, 2)
	setDefault(&o.BasePort, 7050)
	setDefault(&o.BatchTimeout, 500*time.Millisecond)
	setDefault(&o.MaxMessages, 500)
	setDefault(&o.LogSpec, "info")
	setDefault(&o.Dir, filepath.Join("build", "network"))
	setDefault(&o.Bin, filepath.Join("build", "bin"))
	o.Suite, o.Hash = strings.ToUpper(o.Suite), strings.ToUpper(o.Hash)
	o.MutualTLS = o.MutualTLS || strings.HasPrefix(o.Suite, "ECDHE")
	if err := o.validate(); err != nil {
		return Options{}, err
	}
	for _, dir := range []*string{&o.Dir, &o.Bin, &o.CA} {
		if *dir == "" {
			continue
		}
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return Options{}, fmt.Errorf("resolve %s: %w", *dir, err)
		}
		if err := checkPath(abs); err != nil {
			return Options{}, err
		}
		*dir = abs
	}
	return o, nil
}

// checkPath refuses paths that need quotes: those of a network are in configuration files, and in ORDERER_FLAGS, which a
// shell takes apart at spaces.
func checkPath(path string) error {
	for _, c := range path {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("/._-+=@%~", c) {
			return fmt.Errorf("%q has a %q in it, and the paths of a network may have only letters, digits and ._-+=@%%~: "+
				"choose another place with DIR=, or move the clone", path, c)
		}
	}
	return nil
}

func (o Options) validate() error {
	choices := []struct {
		name, value string
		allowed     []string
	}{
		{"MODE", o.Mode, []string{ModeTLS, ModeDual, ModeGM}},
		{"CLIENT_MODE", o.ClientMode, []string{ModeTLS, ModeGM}},
		{"ALGORITHM", o.Algorithm, []string{AlgorithmGM, AlgorithmECDSA, AlgorithmMixed}},
		{"HASH", o.Hash, []string{"", HashSHA256, HashSM3}},
		{"SUITE", o.Suite, append([]string{""}, Suites...)},
		{"GM_PROTOCOL", o.GMProtocol, []string{"", GMProtocolTLCP, GMProtocolTLS13}},
		{"CONSENSUS", o.Consensus, []string{"", ConsensusRaft, ConsensusBFT}},
		{"KEYS", o.Keys, []string{"", KeysSDF, KeysPKCS11}},
	}
	for _, c := range choices {
		if !slices.Contains(c.allowed, c.value) {
			return fmt.Errorf("%s=%s is not one of %s", c.name, c.value, strings.TrimSpace(strings.Join(c.allowed, " ")))
		}
	}
	switch {
	case o.Mode == ModeTLS && o.ClientMode == ModeGM, o.Mode == ModeGM && o.ClientMode == ModeTLS:
		return fmt.Errorf("CLIENT_MODE=%s cannot reach listeners of MODE=%s; use MODE=dual", o.ClientMode, o.Mode)
	case o.Consensus == ConsensusBFT && o.Orderers < leastBFT:
		return fmt.Errorf("CONSENSUS=bft with ORDERERS=%d survives no faulty node; %d survive one, 7 two", o.Orderers, leastBFT)
	case o.Strict && (o.Mode != ModeGM || o.Algorithm != AlgorithmGM):
		return fmt.Errorf("STRICT=true is for MODE=gm and ALGORITHM=gm")
	case o.Keys != "" && o.Docker:
		return fmt.Errorf("KEYS=%s is for a network without containers: the images have no simulated device", o.Keys)
	case o.Keys != "" && strings.HasPrefix(o.Suite, "ECDHE"):
		return fmt.Errorf("SUITE=%s needs the encryption key in software; with KEYS=%s use an ECC suite", o.Suite, o.Keys)
	case o.CA != "" && o.Isolated:
		return errors.New("authorities have no network namespaces: use cryptogen for isolated nodes")
	case o.GMProtocol == GMProtocolTLS13 && (o.Mode == ModeTLS || o.Suite != ""):
		return fmt.Errorf("GM_PROTOCOL=%s needs a mode with GM, and goes without SUITE, which is one of TLCP", o.GMProtocol)
	case o.Suite != "" && o.Mode == ModeTLS:
		return fmt.Errorf("SUITE=%s is a TLCP suite and MODE=tls has no TLCP; use MODE=gm or MODE=dual", o.Suite)
	}
	numbers := []struct {
		name             string
		value, low, high int
	}{
		{"ORDERERS", o.Orderers, 1, maxOrderers},
		{"ORGS", o.Orgs, 1, maxOrgs},
		{"PEERS", o.Peers, 1, maxPeers},
		{"BASE_PORT", o.BasePort, 1024, 65535 - portsPerOrg*(o.Orgs+1)},
		{"batch size", o.MaxMessages, 1, 1 << 20},
	}
	for _, n := range numbers {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("%s=%d is outside %d to %d", n.name, n.value, n.low, n.high)
		}
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
