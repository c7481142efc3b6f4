// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/common/crypto"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// almanac collects the warnings that are scheduled, by the timer that stands for
// each, and those that are given at once.
type almanac struct {
	scheduled map[*time.Timer]func()
	said      []string
}

func (a *almanac) schedule(_ time.Duration, warn func()) *time.Timer {
	timer := time.NewTimer(24 * time.Hour)
	a.scheduled[timer] = warn
	return timer
}

func (a *almanac) warn(format string, args ...any) {
	a.said = append(a.said, fmt.Sprintf(format, args...))
}

// due lets the timers that were not stopped run off, and returns what was said
// about the role or, if role is empty, about certificates of none.
func (a *almanac) due(role string) []string {
	for timer, warn := range maps.Clone(a.scheduled) {
		if timer.Stop() {
			warn()
		}
		delete(a.scheduled, timer)
	}
	var about []string
	for _, s := range a.said {
		if role == "" && !strings.HasSuffix(s, ")") || role != "" && strings.HasSuffix(s, "("+role+")") {
			about = append(about, s)
		}
	}
	slices.Sort(about)
	return about
}

// track starts again with the sources of the process.
func track(t *testing.T, serverCert []byte, clientChain [][]byte) *almanac {
	t.Helper()
	a := &almanac{scheduled: make(map[*time.Timer]func())}
	identity := protoutil.MarshalOrPanic(&msp.SerializedIdentity{IdBytes: newPKI(t).node(t).only(protocolTLS).Certificate})
	TrackExpiration(true, serverCert, clientChain, identity, func(string, ...any) {}, a.warn, time.Now(), a.schedule)
	t.Cleanup(func() {
		registry.mu.Lock()
		defer registry.mu.Unlock()
		registry.expiry = nil
	})
	return a
}

// TestExpirationFollowsReloads: after a reload the new certificates are watched,
// encryption certificates too, and those that they replace are not.
func TestExpirationFollowsReloads(t *testing.T) {
	n := newLiveNode(t, ModeDual, patience)
	server, client := n.serverSource, n.clientSource
	until := func(left time.Duration) bundles { // of the TLCP pair; that for TLS lasts
		m := n.org.node(t).only(protocolTLS)
		m.Certificate, m.Key = n.org.gm.NewPairUntil(t, time.Now().Add(left), "127.0.0.1").Bundle(m.Certificate, m.Key)
		return m
	}
	const year = 365 * 24 * time.Hour
	n.server.set(until(year), nil)
	n.client.set(until(year), nil)
	require.NoError(t, server.Reload())
	require.NoError(t, client.Reload())
	all := func(kind, role string) (want []string) {
		for _, use := range []string{"", " SM2", " SM2 encryption"} {
			want = append(want, fmt.Sprintf("The %s TLS%s certificate will expire within one week (%s)", kind, use, role))
		}
		slices.Sort(want)
		return want
	}
	cert, err := client.ClientCertificate()
	require.NoError(t, err)

	a := track(t, server.Material().PEM(), cert.Certificate)
	require.Equal(t, all("server", server.role), a.due(server.role))
	require.Equal(t, all("client", client.role), a.due(client.role))
	require.Equal(t, []string{"The enrollment certificate will expire within one week"}, a.due(""), "nothing is said twice")

	// Certificates with five hours to live come in by a reload.
	a = track(t, server.Material().PEM(), cert.Certificate)
	n.server.set(until(5*time.Hour), nil)
	require.NoError(t, server.Reload())
	require.Equal(t, []string{
		"The server TLS SM2 certificate expires within 0 days and 4 hours (" + server.role + ")",
		"The server TLS SM2 encryption certificate expires within 0 days and 4 hours (" + server.role + ")",
		"The server TLS certificate will expire within one week (" + server.role + ")",
	}, a.due(server.role))
	require.Equal(t, all("client", client.role), a.due(client.role), "the other role is left alone")

	// They are renewed in time: no warning of the former ones is left.
	a = track(t, nil, nil)
	a.said = nil
	n.server.set(until(year), nil)
	require.NoError(t, server.Reload())
	require.Equal(t, all("server", server.role), a.due(server.role))

	// A switch of mode and a refused reload change nothing.
	a = track(t, nil, nil)
	scheduled := len(a.scheduled)
	require.NoError(t, server.SetMode(ModeTLS, ""))
	n.server.set(bundles{}, nil)
	require.Error(t, server.Reload())
	require.Len(t, a.scheduled, scheduled)
	require.Equal(t, all("server", server.role), a.due(server.role))
}

// TestExpirationWithoutSource: certificates that no source presents are tracked
// as common/crypto does it.
func TestExpirationWithoutSource(t *testing.T) {
	m := newPKI(t).node(t)
	a := track(t, m.Certificate, [][]byte{m.only(protocolTLCP).Certificate})
	want := &almanac{scheduled: make(map[*time.Timer]func())}
	crypto.TrackExpiration(true, m.Certificate, [][]byte{m.only(protocolTLCP).Certificate}, nil, func(string, ...any) {}, want.warn, time.Now(), want.schedule)
	require.Equal(t, slices.Sorted(slices.Values(append(want.due(""), "The enrollment certificate will expire within one week"))), a.due(""))
}

// TestExpirationOfLaterSources: what is set up after the start of tracking, as
// HTTP servers are, is tracked as well, and its successor in its place.
func TestExpirationOfLaterSources(t *testing.T) {
	a := track(t, nil, nil)
	m := newPKI(t).node(t)
	for range 2 {
		newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(m.only(protocolTLS)), ServerMode: ModeTLS})
	}
	require.Equal(t, []string{"The server TLS certificate will expire within one week (" + t.Name() + ")"}, a.due(t.Name()))
}

// TestIdentityExpiryIsMeasured: the alerts on ends of certificates watch what the node signs with, too.
func TestIdentityExpiryIsMeasured(t *testing.T) {
	l := &ledger{sums: make(map[string]float64)}
	UseMetrics(l)
	t.Cleanup(func() { metricsInUse.Store(nil) })
	track(t, nil, nil)
	require.Greater(t, l.sum("certificate_expiry", "role identity use identity"), float64(time.Now().Unix()))
}
