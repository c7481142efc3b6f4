// SPDX-License-Identifier: Apache-2.0

package gmgateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/internal/settings"
	"gopkg.in/yaml.v3"
)

// maxProfileSize bounds the bytes of a profile and of each file that it names.
const maxProfileSize = 1 << 20

// Mode is the protocol that protects the connection to a peer.
type Mode string

const (
	ModeTLS Mode = "tls" // TLS 1.2 or later
	ModeGM  Mode = "gm"  // TLCP, GB/T 38636
)

// Profile is a connection profile. It has the fields of Fabric's common connection profile that a gateway client needs, under
// their usual names. Its section client has what the usual profile leaves to the application: the identity, and how to connect.
// Other fields of the usual profile (certificate authorities, orderers, channels) may be in the file and are ignored,
// but those under client are checked strictly.
//
//	name: org1
//	client:
//	  organization: Org1
//	  identity:
//	    cert: {path: msp/signcerts/user-cert.pem}   # ECDSA or SM2
//	    key:  {path: msp/keystore/key.pem}          # or, in its place, offline: true
//	  tls:
//	    mode: gm                                    # tls or gm; there is no default
//	    # a client certificate, if the peers ask for one; the second pair only in mode gm
//	    cert:    {path: tls/client-sign.crt}
//	    key:     {path: tls/client-sign.key}
//	    encCert: {path: tls/client-enc.crt}
//	    encKey:  {path: tls/client-enc.key}
//	    cipherSuites: [ECC_SM4_GCM_SM3]             # only in mode gm; absent: the defaults of gmtls
//	organizations:
//	  Org1: {mspid: Org1MSP, peers: [peer0.org1.example.com]}
//	peers:
//	  peer0.org1.example.com:
//	    url: grpcs://localhost:7051
//	    tlsCACerts: {path: tlsca/gm-ca.crt}         # roots: SM2 in mode gm
//	    grpcOptions: {ssl-target-name-override: peer0.org1.example.com}
//
// You may write {pem: text} in place of {path: file} everywhere. Paths are relative to the folder of the profile.
type Profile struct {
	Name          string                  `yaml:"name"`
	Client        Client                  `yaml:"client"`
	Organizations map[string]Organization `yaml:"organizations"`
	Peers         map[string]Peer         `yaml:"peers"`

	dir string // where relative paths start
}

// Client has the identity of the client, and how it connects.
type Client struct {
	// Organization is the name, under organizations, of the client's own.
	Organization string   `yaml:"organization"`
	Identity     Identity `yaml:"identity"`
	TLS          TLS      `yaml:"tls"`
}

// Identity is the certificate under which transactions are signed, and its private key (PKCS #8 or SEC 1, not encrypted).
type Identity struct {
	Cert PEM `yaml:"cert"`
	Key  PEM `yaml:"key"`
	// Offline says that the key is elsewhere: the application has each proposal, transaction and request signed there, and makes
	// it again with the signature (client.Gateway's methods NewSigned…). Key must then be absent.
	Offline bool `yaml:"offline"`
}

// TLS is how the client protects its connections.
type TLS struct {
	Mode         Mode     `yaml:"mode"`
	Cert         PEM      `yaml:"cert"`
	Key          PEM      `yaml:"key"`
	EncCert      PEM      `yaml:"encCert"`
	EncKey       PEM      `yaml:"encKey"`
	CipherSuites []string `yaml:"cipherSuites"`
	// Protocol is what mode gm speaks: TLCP (also when empty), or TLS13 for TLS 1.3 with GM suites (RFC 8998).
	Protocol string `yaml:"protocol"`
}

// Organization is one member of the network.
type Organization struct {
	MSPID string `yaml:"mspid"`
	// Peers are names under peers. The first is the one a client connects to unless it names another.
	Peers []string `yaml:"peers"`
}

// Peer is one gateway peer.
type Peer struct {
	// URL is grpcs://host:port.
	URL         string      `yaml:"url"`
	TLSCACerts  PEM         `yaml:"tlsCACerts"`
	GRPCOptions GRPCOptions `yaml:"grpcOptions"`
}

// GRPCOptions are the usual options that a gateway client uses.
type GRPCOptions struct {
	// TargetNameOverride is the name to find in the peer's certificate, when it is not the host in the URL.
	TargetNameOverride string `yaml:"ssl-target-name-override"`
}

// PEM is text in PEM or the file that holds it.
type PEM struct {
	Path string `yaml:"path"`
	PEM  string `yaml:"pem"`
}

func (p PEM) empty() bool { return p == PEM{} }

// LoadProfile reads a profile in YAML or JSON, and checks everything that needs no other file.
func LoadProfile(path string) (*Profile, error) {
	content, err := material.ReadBounded(path, maxProfileSize)
	if err != nil {
		return nil, fmt.Errorf("gmgateway: connection profile: %w", err)
	}
	profile := &Profile{dir: filepath.Dir(path)}
	if err := settings.DecodeOne(yaml.NewDecoder(bytes.NewReader(content)), profile); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("gmgateway: connection profile %s: %w", path, err)
	}
	if err := checkClientFields(content); err != nil {
		return nil, fmt.Errorf("gmgateway: connection profile %s: %w", path, err)
	}
	if err := profile.validate(); err != nil {
		return nil, fmt.Errorf("gmgateway: connection profile %s: %w", path, err)
	}
	return profile, nil
}

// checkClientFields fails on a field under client.identity or client.tls that does not exist: a misspelt "mode" or
// "key" must not be ignored. Other parts of a stock profile carry fields that are none of this package's business.
func checkClientFields(content []byte) error {
	var parts struct {
		Client struct {
			Identity any `yaml:"identity"`
			TLS      any `yaml:"tls"`
		} `yaml:"client"`
	}
	if err := yaml.Unmarshal(content, &parts); err != nil {
		return err
	}
	for name, part := range map[string]struct {
		value, target any
	}{
		"client.identity": {parts.Client.Identity, &Identity{}},
		"client.tls":      {parts.Client.TLS, &TLS{}},
	} {
		if part.value == nil {
			continue
		}
		text, err := yaml.Marshal(part.value) // what anchors stand for is in it
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(part.target); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (p *Profile) validate() error {
	organization, ok := p.Organizations[p.Client.Organization]
	switch {
	case p.Client.Organization == "":
		return errors.New("client.organization is missing")
	case !ok:
		return fmt.Errorf("client.organization is %q, which organizations does not hold", p.Client.Organization)
	case organization.MSPID == "":
		return fmt.Errorf("organizations.%s.mspid is missing", p.Client.Organization)
	case p.Client.Identity.Cert.empty():
		return errors.New("client.identity.cert is missing")
	case p.Client.Identity.Offline && !p.Client.Identity.Key.empty():
		return errors.New("client.identity holds a key and says offline: remove one of them")
	case p.Client.Identity.Key.empty() && !p.Client.Identity.Offline:
		return errors.New("client.identity.key is missing; a client whose key is elsewhere says offline: true")
	}
	return p.Client.TLS.validate()
}

// Values of client.tls.protocol.
const (
	protocolTLCP  = "TLCP"
	protocolTLS13 = "TLS13"
)

func (t *TLS) validate() error {
	if t.Mode != ModeTLS && t.Mode != ModeGM {
		return fmt.Errorf("client.tls.mode is %q: want tls or gm", t.Mode)
	}
	if t.Cert.empty() != t.Key.empty() {
		return errors.New("client.tls holds one of cert and key without the other")
	}
	if t.Mode == ModeTLS {
		if !t.EncCert.empty() || !t.EncKey.empty() || len(t.CipherSuites) > 0 || t.Protocol != "" {
			return errors.New("client.tls.encCert, encKey, cipherSuites and protocol belong to mode gm, and the mode is tls")
		}
		return nil
	}
	switch t.Protocol {
	case "", protocolTLCP:
	case protocolTLS13:
		if len(t.CipherSuites) > 0 {
			return errors.New("client.tls.cipherSuites are those of TLCP, and client.tls.protocol is TLS13: leave them out")
		}
	default:
		return fmt.Errorf("client.tls.protocol is %q: want TLCP or TLS13", t.Protocol)
	}
	if t.EncCert.empty() != t.EncKey.empty() || t.Cert.empty() != t.EncCert.empty() {
		return errors.New("client.tls: a client certificate of mode gm is a pair: give all of cert, key, encCert and encKey, or none")
	}
	return nil
}

// peer returns the peer of that name, or the first of the client's organisation when name is empty.
func (p *Profile) peer(name string) (string, Peer, error) {
	if name == "" {
		peers := p.Organizations[p.Client.Organization].Peers
		if len(peers) == 0 {
			return "", Peer{}, fmt.Errorf("gmgateway: organizations.%s.peers is empty: name a peer to connect to", p.Client.Organization)
		}
		name = peers[0]
	}
	peer, ok := p.Peers[name]
	if !ok {
		known := make([]string, 0, len(p.Peers))
		for k := range p.Peers {
			known = append(known, k)
		}
		slices.Sort(known)
		return "", Peer{}, fmt.Errorf("gmgateway: the profile has no peer %q, only %s", name, strings.Join(known, ", "))
	}
	return name, peer, nil
}

// address returns host:port of the peer's URL.
func (p *Peer) address() (string, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return "", fmt.Errorf("url: %w", err)
	}
	if u.Scheme != "grpcs" {
		return "", fmt.Errorf("url is %q: want grpcs://host:port, connections without protection are not supported", p.URL)
	}
	if u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("url is %q: want grpcs://host:port", p.URL)
	}
	return u.Host, nil
}

// read returns the PEM text of a field, whose name is for the error.
func (p *Profile) read(field string, source PEM) ([]byte, error) {
	switch {
	case source.Path != "" && source.PEM != "":
		return nil, fmt.Errorf("gmgateway: %s holds both path and pem: remove one", field)
	case source.PEM != "":
		return []byte(source.PEM), nil
	case source.Path == "":
		return nil, fmt.Errorf("gmgateway: %s is missing: give its path or pem", field)
	}
	path := source.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.dir, path)
	}
	content, err := material.ReadBounded(path, maxProfileSize)
	if err != nil {
		return nil, fmt.Errorf("gmgateway: %s: %w", field, err)
	}
	return content, nil
}
