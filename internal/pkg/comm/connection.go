// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"errors"
	"sync"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/msp"
	"google.golang.org/grpc/credentials"
)

// CredentialSupport holds what a peer presents to and trusts of other peers.
// The credentials that it gives out are live: each handshake uses the present
// roots, certificate and mode.
type CredentialSupport struct {
	mutex             sync.RWMutex
	appRootCAsByChain map[string][][]byte // protected by mutex
	serverRootCAs     [][]byte            // not changed after construction
	clientCert        tls.Certificate     // protected by mutex
	cached            *supportState       // protected by mutex; nil after a change
}

// supportState is the client state that was made for a state of a source.
type supportState struct {
	of    *sourceState // nil without a source
	state *clientState
}

// NewCredentialSupport returns a CredentialSupport that trusts the given
// authorities (PEM) in addition to those of the channels.
func NewCredentialSupport(rootCAs ...[]byte) *CredentialSupport {
	return &CredentialSupport{
		appRootCAsByChain: make(map[string][][]byte),
		serverRootCAs:     rootCAs,
	}
}

// SetClientCertificate sets the certificate to present. If it is one that a
// Source presents, that source's mode and later certificates are followed.
func (cs *CredentialSupport) SetClientCertificate(cert tls.Certificate) {
	cs.mutex.Lock()
	defer cs.mutex.Unlock()
	cs.clientCert = cert
	cs.cached = nil
}

// GetClientCertificate returns the certificate that was set.
func (cs *CredentialSupport) GetClientCertificate() tls.Certificate {
	cs.mutex.RLock()
	defer cs.mutex.RUnlock()
	return cs.clientCert
}

// GetPeerCredentials returns credentials for dialing other peers.
func (cs *CredentialSupport) GetPeerCredentials() credentials.TransportCredentials {
	return &DynamicClientCredentials{dialer: &supportDialer{cs}}
}

// BuildTrustedRootsForChain takes the TLS authorities of the channel's
// application organisations, roots and intermediates, from its configuration.
func (cs *CredentialSupport) BuildTrustedRootsForChain(cm channelconfig.Resources) {
	UpdateRevocationLists(cm)
	channel := cm.ConfigtxValidator().ChannelID()
	msps, err := cm.MSPManager().GetMSPs()
	if err != nil {
		commLogger.Errorf("The TLS root CAs of channel %s stay as they were: %s", channel, err)
		return
	}
	var roots [][]byte
	if app, ok := cm.ApplicationConfig(); ok {
		for _, org := range app.Organizations() {
			m := msps[org.MSPID()]
			if m == nil || m.GetType() != msp.FABRIC {
				continue
			}
			roots = append(roots, m.GetTLSRootCerts()...)
			roots = append(roots, m.GetTLSIntermediateCerts()...)
		}
	}
	commLogger.Debugf("Channel %s has %d TLS CA certificates of application organisations", channel, len(roots))
	cs.mutex.Lock()
	defer cs.mutex.Unlock()
	cs.appRootCAsByChain[channel] = roots
	cs.cached = nil
}

// supportDialer dials other peers.
type supportDialer struct{ cs *CredentialSupport }

// source returns the source that presents the client certificate, or nil.
func (d *supportDialer) source() *Source {
	cert := d.cs.GetClientCertificate()
	if len(cert.Certificate) == 0 {
		return nil
	}
	return sourceOf(cert.Certificate[0])
}

func (d *supportDialer) mode(of *sourceState) ClientMode {
	if of != nil && of.clientMode != "" {
		return of.clientMode
	}
	if isShown(d.cs.GetClientCertificate()) {
		return ClientGM
	}
	return ClientTLS
}

func (d *supportDialer) bind() (*connGroup, func() protocol) {
	fallback := d.mode(nil)
	source := d.source()
	if source == nil {
		return &unnamed, func() protocol { return clientProtocol(fallback, nil) }
	}
	return &source.dialed, func() protocol {
		of := source.state.Load()
		mode := of.clientMode
		if mode == "" {
			mode = fallback
		}
		return clientProtocol(mode, of)
	}
}

func (d *supportDialer) current() (*clientState, error) {
	source := d.source()
	var of *sourceState
	if source != nil {
		of = source.state.Load()
	}
	cs := d.cs
	cs.mutex.RLock()
	cached := cs.cached
	cs.mutex.RUnlock()
	if cached != nil && cached.of == of {
		return cached.state, nil
	}
	mode := d.mode(of)
	cs.mutex.Lock()
	defer cs.mutex.Unlock()
	var own Material
	roots := cs.rootsLocked()
	var suites []uint16
	var hybrid bool
	switch {
	case of != nil:
		own, suites, hybrid = of.Material, of.gmSuites, of.gmHybrid
		roots.add(of.serverRoots)
	case isShown(cs.clientCert):
		return nil, errors.New("comm: the peer's client certificate is that of a TLCP pair which no role presents any more, so there is no key for it; restart the peer")
	case len(cs.clientCert.Certificate) != 0:
		std := cs.clientCert
		own.Std = &std
	}
	if err := checkRoots(roleOf(source), mode, roots); err != nil {
		return nil, err
	}
	proto := clientProtocol(mode, of)
	st := &clientState{protocol: proto, hash: own.hash(proto)}
	if mode == ClientGM {
		st.gm = &gmtls.Config{
			Rand:             gm.Random(),
			Versions:         versionsOf([]protocol{proto}),
			CurvePreferences: groupsOf(hybrid),
			Certificates:     own.gmCertificates(),
			RootCAs:          roots.gmPool(),
			Authorities:      roots.authorities(),
			ChainCache:       chainCache,
			CipherSuites:     withSuites13(suites),
			NextProtos:       alpnProtocols,
		}
	} else {
		st.std = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots.stdPool(), NextProtos: alpnProtocols}
		if own.Std != nil {
			st.std.Certificates = []tls.Certificate{*own.Std}
		}
	}
	cs.cached = &supportState{of: of, state: st}
	return st, nil
}

// rootsLocked collects the authorities. One that cannot be parsed trusts nobody
// and leaves the others in effect.
func (cs *CredentialSupport) rootsLocked() rootSet {
	roots, bad := parseRootBlobs(cs.serverRootCAs)
	if len(bad) != 0 {
		commLogger.Warningf("No certificate can be parsed in %d of the peer's %d server root CAs; they are not trusted", len(bad), len(cs.serverRootCAs))
	}
	for channel, blobs := range cs.appRootCAsByChain {
		r, bad := parseRootBlobs(blobs)
		if len(bad) != 0 {
			commLogger.Warningf("No certificate can be parsed in %d of the %d TLS CA certificates of channel %s; they are not trusted", len(bad), len(blobs), channel)
		}
		roots.add(r)
	}
	return roots
}
