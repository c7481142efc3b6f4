// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/msp"
)

// revocable is an organisation with a TLS CA of one family.
type revocable struct {
	protocol protocol
	ca       *gmtlstest.CA
	issuer   *gmtlstest.CA // of its nodes: ca, or a CA below it
}

func newRevocable(t *testing.T, p protocol) *revocable {
	ca := gmtlstest.NewFamilyCA(t, gmtlstest.Family(p == protocolTLCP), "CA of "+t.Name())
	return &revocable{p, ca, ca}
}

// node issues certificates for 127.0.0.1, and returns them with their material.
func (r *revocable) node(t *testing.T) (bundles, []*material.Certificate) {
	t.Helper()
	m := bundles{ServerRootCAs: [][]byte{r.ca.CertPEM}, ClientRootCAs: [][]byte{r.ca.CertPEM}}
	if r.protocol == protocolTLCP {
		m.Certificate, m.Key = r.issuer.NewPair(t, "127.0.0.1").Bundle(nil, nil)
	} else {
		leaf := r.issuer.Issue(t, pkix.Name{CommonName: "node"})
		m.Certificate, m.Key = leaf.CertPEM, leaf.KeyPEM
	}
	certs, err := material.ParseCertificates("", m.Certificate)
	require.NoError(t, err)
	if r.issuer != r.ca {
		m.Certificate = append(m.Certificate, r.issuer.CertPEM...)
	}
	return m, certs
}

// modes of ends that speak the organisation's protocol.
func (r *revocable) modes() (ServerMode, ClientMode) {
	if r.protocol == protocolTLCP {
		return ModeGM, ClientGM
	}
	return ModeTLS, ClientTLS
}

// source registers material as role, with the check of revocation on or off.
func (r *revocable) source(t *testing.T, role string, m bundles, check bool) *Source {
	t.Helper()
	server, client := r.modes()
	return newTestSource(t, SourceConfig{
		Role: t.Name() + role, Load: fixed(m), ServerMode: server, ClientMode: client, CheckRevocation: check, DrainGrace: 50 * time.Millisecond,
	})
}

// mspOf is an MSP in a channel's configuration.
func mspOf(name string, tlsCAs, lists [][]byte) *mspproto.FabricMSPConfig {
	return &mspproto.FabricMSPConfig{Name: name, TlsRootCerts: tlsCAs, RevocationList: lists}
}

// publish puts MSPs into the configuration of a channel, for the time of the test.
func publish(t *testing.T, channel string, msps ...*mspproto.FabricMSPConfig) {
	t.Helper()
	application := &cb.ConfigGroup{Groups: make(map[string]*cb.ConfigGroup)}
	for _, m := range msps {
		raw, err := proto.Marshal(m)
		require.NoError(t, err)
		raw, err = proto.Marshal(&mspproto.MSPConfig{Config: raw})
		require.NoError(t, err)
		application.Groups[m.Name] = &cb.ConfigGroup{Values: map[string]*cb.ConfigValue{channelconfig.MSPKey: {Value: raw}}}
	}
	updateLists(channel, &cb.Config{ChannelGroup: &cb.ConfigGroup{
		Groups: map[string]*cb.ConfigGroup{channelconfig.ApplicationGroupKey: application},
	}})
	t.Cleanup(func() { setChannelLists(channel, nil) })
}

// requireRevoked demands that a handshake at the judging end has failed by revocation.
func requireRevoked(t *testing.T, err error, reason string) {
	t.Helper()
	var revoked *RevocationError
	require.ErrorAs(t, err, &revoked)
	require.ErrorContains(t, err, reason)
	require.Equal(t, "revoked", resultOf(err))
}

var families = []protocol{protocolTLS, protocolTLCP}

// TestRevokedClient: a listener refuses a client whose certificate a list of a channel names, either one of a TLCP pair, or that of
// the CA between; others of the same CA it serves, and where the check is off it serves all.
func TestRevokedClient(t *testing.T) {
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			org := newRevocable(t, p)
			org.issuer = org.ca.Intermediate(t, "between")
			own, _ := org.node(t)
			thief, stolen := org.node(t)
			other, _ := org.node(t)
			_, mode := org.modes()
			options := func(m bundles) SecureOptions {
				so := m.options()
				so.RequireClientCert, so.ClientMode = true, mode
				return so
			}
			serve := func(check bool) string {
				name := map[bool]string{true: "checks", false: "does not"}[check]
				server, _ := startServer(t, SecureOptions{UseTLS: true, RequireClientCert: true, Source: org.source(t, name, own, check)})
				return server.Address()
			}
			checks, lax := serve(true), serve(false)
			require.NoError(t, try(t, checks, options(thief)))
			cas := [][]byte{org.ca.CertPEM, org.issuer.CertPEM}
			logger, lines := floggingtest.NewTestLogger(t)
			defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
			for _, cert := range stolen {
				publish(t, "channel", mspOf("Org", cas, [][]byte{org.issuer.RevocationList(t, x509.RevocationList{}, cert.SerialNumber)}))
				require.Error(t, try(t, checks, options(thief)))
				require.NoError(t, try(t, checks, options(other)))
				require.NoError(t, try(t, lax, options(thief)))
			}
			require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=revocation-list origin=\"MSP Org in channel channel\"")
			require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=certificate-refused role="+t.Name()+"checks side=server address=127.0.0.1:")
			publish(t, "channel", mspOf("Org", cas, [][]byte{org.ca.RevocationList(t, x509.RevocationList{}, org.issuer.Cert.SerialNumber)}))
			require.Error(t, try(t, checks, options(other)))
			publish(t, "channel", mspOf("Org", cas, nil))
			require.NoError(t, try(t, checks, options(thief)))
		})
	}
}

// TestRevokedServer: a dialer refuses a server likewise, with a separate source and without one, when the node has a dialing role
// that checks.
func TestRevokedServer(t *testing.T) {
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			org := newRevocable(t, p)
			thief, stolen := org.node(t)
			own, _ := org.node(t)
			mode, clientMode := org.modes()
			server, _ := startServer(t, SecureOptions{UseTLS: true, Certificate: thief.Certificate, Key: thief.Key, ServerMode: mode})
			policy := org.source(t, "dials", own, true)
			withSource := SecureOptions{UseTLS: true, Source: policy}
			without := SecureOptions{UseTLS: true, ServerRootCAs: own.ServerRootCAs, ClientMode: clientMode}
			for _, so := range []SecureOptions{withSource, without} {
				require.NoError(t, try(t, server.Address(), so))
			}
			publish(t, "channel", mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{org.ca.RevocationList(t, x509.RevocationList{}, stolen[0].SerialNumber)}))
			for _, so := range []SecureOptions{withSource, without} {
				require.ErrorContains(t, try(t, server.Address(), so), "it has been revoked, by a list of MSP Org in channel channel")
			}
			org.source(t, "dials", own, false)
			require.NoError(t, try(t, server.Address(), without))
		})
	}
}

// extension is one that makes a list useless, or tells what it is for.
func extension(t *testing.T, critical bool, value any, id ...int) pkix.Extension {
	t.Helper()
	der, err := asn1.Marshal(value)
	require.NoError(t, err)
	return pkix.Extension{Id: id, Critical: critical, Value: der}
}

// TestListsFailClosed: an organisation whose list cannot be relied upon is refused by name, and no other, not in other channels and not
// where another organisation with the same CA answers for it.
func TestListsFailClosed(t *testing.T) {
	type point struct {
		Indirect bool `asn1:"optional,tag:4"`
	}
	type part struct {
		UsersOnly bool `asn1:"optional,tag:1"`
	}
	hour := func(h int) time.Time { return time.Now().Add(time.Duration(h) * time.Hour) }
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			org, elsewhere := newRevocable(t, p), newRevocable(t, p)
			namesake := gmtlstest.NewFamilyCA(t, org.ca.Family, org.ca.Cert.Subject.CommonName)
			list := func(template x509.RevocationList) []byte { return org.ca.RevocationList(t, template) }
			forged := func() []byte {
				block, _ := pem.Decode(list(x509.RevocationList{}))
				block.Bytes[len(block.Bytes)-1] ^= 1
				return pem.EncodeToMemory(block)
			}()
			stale := list(x509.RevocationList{ThisUpdate: hour(-3), NextUpdate: hour(-1)})
			users := extension(t, true, part{true}, 2, 5, 29, 28)
			for name, c := range map[string]struct {
				lists  [][]byte
				reason string // empty: the lists can be relied upon
			}{
				"none":                    {nil, ""},
				"good":                    {[][]byte{list(x509.RevocationList{})}, ""},
				"forged":                  {[][]byte{forged}, "does not verify under CA"},
				"good and forged":         {[][]byte{list(x509.RevocationList{}), forged}, "does not verify under CA"},
				"of a stranger":           {[][]byte{elsewhere.ca.RevocationList(t, x509.RevocationList{})}, "cannot be used"},
				"of a CA of that name":    {[][]byte{namesake.RevocationList(t, x509.RevocationList{})}, "cannot be used"},
				"no list at all":          {[][]byte{[]byte("X509 CRL")}, "cannot be used"},
				"stale":                   {[][]byte{stale}, "was to be replaced by"},
				"stale, and replaced":     {[][]byte{stale, list(x509.RevocationList{})}, ""},
				"stale behind good":       {[][]byte{list(x509.RevocationList{}), stale}, ""},
				"stale, another part new": {[][]byte{stale, list(x509.RevocationList{ExtraExtensions: []pkix.Extension{users}})}, "was to be replaced by"},
				"of users alone":          {[][]byte{list(x509.RevocationList{ExtraExtensions: []pkix.Extension{users}})}, ""},
				"delta":                   {[][]byte{list(x509.RevocationList{ExtraExtensions: []pkix.Extension{extension(t, true, 1, 2, 5, 29, 27)}})}, "delta list"},
				"indirect":                {[][]byte{list(x509.RevocationList{ExtraExtensions: []pkix.Extension{extension(t, true, point{true}, 2, 5, 29, 28)}})}, "indirect list"},
				"unknown and critical":    {[][]byte{list(x509.RevocationList{ExtraExtensions: []pkix.Extension{extension(t, true, 1, 1, 2, 3)}})}, "critical extension 1.2.3"},
				"unknown, not critical":   {[][]byte{list(x509.RevocationList{ExtraExtensions: []pkix.Extension{extension(t, false, 1, 1, 2, 3)}})}, ""},
			} {
				t.Run(name, func(t *testing.T) {
					_, certs := org.node(t)
					_, others := elsewhere.node(t)
					chain := [][]*x509.Certificate{{certs[0].Certificate, org.ca.Cert}}
					other := [][]*x509.Certificate{{others[0].Certificate, elsewhere.ca.Cert}}
					now := time.Now()
					orgs := func() []*organization { return *channelLists.all.Load() }

					bad := mspOf("Org", [][]byte{org.ca.CertPEM}, c.lists)
					good := mspOf("Other", [][]byte{elsewhere.ca.CertPEM}, nil)
					publish(t, "channel", bad, good)
					if c.reason == "" {
						require.NoError(t, judge(orgs(), chain, now))
					} else {
						requireRevoked(t, judge(orgs(), chain, now), c.reason)
						require.ErrorContains(t, judge(orgs(), chain, now), "MSP Org in channel channel")
					}
					require.NoError(t, judge(orgs(), other, now), "another organisation")
					require.NoError(t, judge(orgs(), nil, now), "nothing was verified")

					good.TlsRootCerts = append(good.TlsRootCerts, org.ca.CertPEM)
					publish(t, "channel", bad, good)
					require.NoError(t, judge(orgs(), chain, now), "the other organisation has the same CA")
				})
			}
		})
	}
}

// TestStaleListStillRevokes: what a verified list names stays revoked when its time is over, and for every organisation of the CA.
func TestStaleListStillRevokes(t *testing.T) {
	org := newRevocable(t, protocolTLCP)
	_, certs := org.node(t)
	chain := [][]*x509.Certificate{{certs[0].Certificate, org.ca.Cert}}
	stale := org.ca.RevocationList(t, x509.RevocationList{ThisUpdate: time.Now().Add(-3 * time.Hour), NextUpdate: time.Now().Add(-time.Hour)}, certs[0].SerialNumber)
	fresh := org.ca.RevocationList(t, x509.RevocationList{})
	publish(t, "channel", mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{stale}), mspOf("Other", [][]byte{org.ca.CertPEM}, [][]byte{fresh}))
	requireRevoked(t, judge(*channelLists.all.Load(), chain, time.Now()), "it has been revoked, by a list of MSP Org")
	elsewhere := []*x509.Certificate{certs[0].Certificate, newRevocable(t, protocolTLCP).ca.Cert}
	require.NoError(t, judge(*channelLists.all.Load(), append(chain, elsewhere), time.Now()), "one chain that stands up is enough")
	// It is the key of the CA that counts, not its certificate's other content.
	renewed := *org.ca.Cert
	renewed.SubjectKeyId = []byte("another method")
	requireRevoked(t, judge(*channelLists.all.Load(), [][]*x509.Certificate{{certs[0].Certificate, &renewed}}, time.Now()), "it has been revoked")
}

// TestNewListDrains: a list that comes with a configuration block ends the standing connections of the certificates that it names, on
// either end, and no others.
func TestNewListDrains(t *testing.T) {
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			org := newRevocable(t, p)
			own, serving := org.node(t)
			thief, stolen := org.node(t)
			honest, _ := org.node(t)
			server, _ := startServer(t, SecureOptions{UseTLS: true, RequireClientCert: true, Source: org.source(t, "serves", own, true)})
			_, mode := org.modes()
			for _, m := range []bundles{thief, honest} {
				so := m.options()
				so.RequireClientCert, so.ClientMode = true, mode
				conn, err := dial(t, server.Address(), so)
				require.NoError(t, err)
				_, err = call(t, conn)
				require.NoError(t, err)
			}
			role := LookupSource(t.Name() + "serves")
			connections := func() int {
				registry.mu.RLock()
				defer registry.mu.RUnlock()
				for e := range role.endpoints {
					return len(e.conns.matching(func(*tracked) bool { return true }))
				}
				return 0
			}
			require.Equal(t, 2, connections())
			publish(t, "channel", mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{org.ca.RevocationList(t, x509.RevocationList{}, stolen[0].SerialNumber)}))
			eventually(t, "the revoked connection ends", func() bool { return connections() == 1 })

			dials := org.source(t, "dials", honest, true)
			conn, err := dial(t, server.Address(), SecureOptions{UseTLS: true, RequireClientCert: true, Source: dials})
			require.NoError(t, err)
			_, err = call(t, conn)
			require.NoError(t, err)
			publish(t, "channel", mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{org.ca.RevocationList(t, x509.RevocationList{}, serving[0].SerialNumber)}))
			eventually(t, "the connection to the revoked server ends", func() bool {
				return len(dials.dialed.matching(func(*tracked) bool { return true })) == 0
			})
			_, err = call(t, conn)
			require.Error(t, err, "and does not come back")
		})
	}
}

// TestNewListDrainsDialersWithoutSource: what they have open ends as well, when the node has a dialing role that checks.
func TestNewListDrainsDialersWithoutSource(t *testing.T) {
	org := newRevocable(t, protocolTLCP)
	own, serving := org.node(t)
	mode, clientMode := org.modes()
	server, _ := startServer(t, SecureOptions{UseTLS: true, Certificate: own.Certificate, Key: own.Key, ServerMode: mode})
	org.source(t, "dials", own, true)
	conn, err := dial(t, server.Address(), SecureOptions{UseTLS: true, ServerRootCAs: own.ServerRootCAs, ClientMode: clientMode})
	require.NoError(t, err)
	_, err = call(t, conn)
	require.NoError(t, err)
	publish(t, "channel", mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{org.ca.RevocationList(t, x509.RevocationList{}, serving[0].SerialNumber)}))
	eventually(t, "the connection ends, and no other is made", func() bool {
		_, err := call(t, conn)
		return err != nil
	})
}

// TestListsFollowTheClock: where the clock of verification is set back, as for orderers that were off for long, that of lists is too.
func TestListsFollowTheClock(t *testing.T) {
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			org := newRevocable(t, p)
			own, _ := org.node(t)
			client, _ := org.node(t)
			source := org.source(t, "serves", own, true)
			serve := func(shift time.Duration) string {
				server, _ := startServer(t, SecureOptions{UseTLS: true, RequireClientCert: true, Source: source, TimeShift: shift})
				return server.Address()
			}
			so := client.options()
			so.RequireClientCert = true
			_, so.ClientMode = org.modes()
			publish(t, "channel", mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{org.ca.RevocationList(t, x509.RevocationList{
				ThisUpdate: time.Now().Add(-3 * time.Hour), NextUpdate: time.Now().Add(-time.Hour),
			})}))
			require.Error(t, try(t, serve(0), so))
			so.TimeShift = 2 * time.Hour // the client is of the same process, and so judges by the same lists
			require.NoError(t, try(t, serve(2*time.Hour), so))
		})
	}
}

// TestUnreadableRootsAreSaid: a CA in a channel's configuration that cannot be read is an error in the log, by organisation and field,
// wherever it stands; upstream's MSP reads the first of each element alone.
func TestUnreadableRootsAreSaid(t *testing.T) {
	org := newRevocable(t, protocolTLCP)
	logger, recorder := floggingtest.NewTestLogger(t, floggingtest.AtLevel(zap.InfoLevel))
	defer func(old *flogging.FabricLogger) { commLogger = old }(commLogger)
	commLogger = logger
	good := append(bytes.Clone(org.ca.CertPEM), newRevocable(t, protocolTLS).ca.CertPEM...)
	publish(t, "channel", mspOf("Org", [][]byte{good}, nil))
	require.Empty(t, recorder.Messages())
	publish(t, "channel", mspOf("Org", [][]byte{good, append(good, org.ca.CertPEM[:100]...)}, nil))
	require.Len(t, recorder.Messages(), 1)
	require.Contains(t, recorder.Messages()[0], "CA certificates of MSP Org in channel channel cannot be read")
	require.Contains(t, recorder.Messages()[0], "tls_root_certs 1: ")
}

// TestListChangesDuringHandshake: a connection whose handshake ended before a list came, and that is registered after it, is not used.
func TestListChangesDuringHandshake(t *testing.T) {
	refused := errors.New("revoked meanwhile")
	closed := false
	entry := &tracked{
		protocol: protocolTLS, addresses: t.Name(), permitted: func() bool { return true }, refused: func() error { return refused },
		close: func() error { closed = true; return nil },
	}
	e := &endpoint{live: new(TLSConfig)}
	require.ErrorIs(t, e.track(entry), refused)
	require.True(t, closed)
	require.Empty(t, e.conns.matching(func(*tracked) bool { return true }))
}

// TestListsFromFiles: lists of files are verified at start and at a reload under the role's roots, and drain as those of channels do.
func TestListsFromFiles(t *testing.T) {
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			org, dir := newRevocable(t, p), t.TempDir()
			own, _ := org.node(t)
			thief, stolen := org.node(t)
			write := func(name string, content []byte) string { return gmtlstest.WriteFile(t, dir, name, content) }
			lists := filepath.Join(dir, "lists")
			put := func(content []byte) { require.NoError(t, os.WriteFile(lists, content, 0o600)) }
			files := Files{
				Cert: write("cert", own.Certificate), Key: write("key", own.Key),
				ClientRootCAs: []string{write("roots", org.ca.CertPEM)}, RevocationLists: []string{lists},
			}.Named("revocation.files", lists)
			server, _ := org.modes()
			config := SourceConfig{Role: t.Name(), Load: files.Load, ServerMode: server, CheckRevocation: true, DrainGrace: 50 * time.Millisecond}

			for content, reason := range map[string]string{
				"": "revocation.files: ", string(org.ca.CertPEM): "it is a certificate, where only revocation lists belong",
				string(newRevocable(t, p).ca.RevocationList(t, x509.RevocationList{})): "the CA has to be among the root CAs of the role",
			} {
				put([]byte(content))
				_, err := NewSource(config)
				require.ErrorContains(t, err, reason)
				require.ErrorContains(t, err, "revocation.files")
			}
			stranger := newRevocable(t, p)
			put(stranger.ca.RevocationList(t, x509.RevocationList{}))
			files.ListCAs = []string{write("cas", stranger.ca.CertPEM)}
			_, err := files.Load()
			require.NoError(t, err, "a CA that is trusted for lists alone")
			files.ListCAs = append(files.ListCAs, write("no-ca", []byte("nothing")))
			_, err = files.Load()
			require.ErrorContains(t, err, files.ListCAs[1])

			put(org.ca.RevocationList(t, x509.RevocationList{}))
			source := newTestSource(t, config)
			listener, _ := startServer(t, SecureOptions{UseTLS: true, RequireClientCert: true, Source: source})
			so := thief.options()
			so.RequireClientCert = true
			_, so.ClientMode = org.modes()
			conn, err := dial(t, listener.Address(), so)
			require.NoError(t, err)
			_, err = call(t, conn)
			require.NoError(t, err)

			put([]byte("nothing"))
			require.Error(t, source.Reload())
			_, err = call(t, conn)
			require.NoError(t, err, "a reload that fails changes nothing")

			block, _ := pem.Decode(org.ca.RevocationList(t, x509.RevocationList{Number: big.NewInt(2)}, stolen[0].SerialNumber))
			put(block.Bytes) // DER
			require.NoError(t, source.Reload())
			eventually(t, "the connection ends, and no other is made", func() bool {
				_, err := call(t, conn)
				return err != nil
			})
			require.Error(t, try(t, listener.Address(), so))

			put(org.ca.RevocationList(t, x509.RevocationList{ThisUpdate: time.Now().Add(-3 * time.Hour), NextUpdate: time.Now().Add(-time.Hour)}))
			require.NoError(t, source.Reload(), "a node starts with a list whose time is over")
			honest, _ := org.node(t)
			so.Certificate, so.Key = honest.Certificate, honest.Key
			require.Error(t, try(t, listener.Address(), so), "and refuses the CA's certificates")
		})
	}
}

// TestRevocationIsShown: status and metrics tell an operator which lists count, when they end, and what they make handshakes refuse.
func TestRevocationIsShown(t *testing.T) {
	l := &ledger{sums: make(map[string]float64)}
	UseMetrics(l)
	t.Cleanup(func() { metricsInUse.Store(nil) })
	org := newRevocable(t, protocolTLCP)
	own, _ := org.node(t)
	checks, lax := org.source(t, "checks", own, true), org.source(t, "does not", own, false)
	shown := func(s *Source) *tlsstatus.Revocation {
		for _, status := range Status() {
			if status.Name == s.role {
				return status.Revocation
			}
		}
		return nil
	}
	require.Nil(t, shown(lax))
	require.Empty(t, shown(checks).Lists)

	end := time.Now().Add(time.Hour).Truncate(time.Second)
	list := org.ca.RevocationList(t, x509.RevocationList{NextUpdate: end})
	cas := [][]byte{org.ca.CertPEM}
	publish(t, "channel", mspOf("Org", cas, [][]byte{list}))
	require.Len(t, shown(checks).Lists, 1)
	one := shown(checks).Lists[0]
	require.Equal(t, "MSP Org in channel channel", one.Origin)
	require.Equal(t, org.ca.Cert.Subject.String(), one.Issuer)
	require.True(t, end.Equal(*one.NextUpdate))
	require.Empty(t, shown(checks).Refused)
	require.Equal(t, float64(end.Unix()), l.sum("revocation_list_expiry", "channel channel", "msp Org"))

	publish(t, "channel", mspOf("Org", cas, [][]byte{newRevocable(t, protocolTLS).ca.RevocationList(t, x509.RevocationList{})}))
	require.Len(t, shown(checks).Refused, 1)
	require.Contains(t, shown(checks).Refused[0], "cannot be used")
	require.Zero(t, l.sum("revocation_list_expiry", "channel channel", "msp Org"))
}

// TestEndsOfFilesByRole: two roles with lists in files have a metric each, when they are made and when metrics begin.
func TestEndsOfFilesByRole(t *testing.T) {
	org := newRevocable(t, protocolTLCP)
	own, _ := org.node(t)
	ends := map[string]time.Time{"first": time.Now().Add(time.Hour), "second": time.Now().Add(2 * time.Hour)}
	shown := func(l *ledger) {
		t.Helper()
		for role, end := range ends {
			require.Equal(t, float64(end.Unix()), l.sum("revocation_list_expiry", "role "+t.Name()+role+" ", "channel none", "msp none"), role)
		}
	}
	begun := &ledger{sums: make(map[string]float64)}
	UseMetrics(begun)
	t.Cleanup(func() { metricsInUse.Store(nil) })
	for _, role := range []string{"first", "second"} {
		read := newOrganization("the node's own files", nil)
		parsed, err := material.ParseLists("", org.ca.RevocationList(t, x509.RevocationList{NextUpdate: ends[role]}))
		require.NoError(t, err)
		require.NoError(t, read.add(parsed[0].CertificateList, []*x509.Certificate{org.ca.Cert}))
		server, _ := org.modes()
		newTestSource(t, SourceConfig{Role: t.Name() + role, ServerMode: server, CheckRevocation: true, Load: func() (Material, error) {
			m, err := own.load()
			m.lists = read
			return m, err
		}})
	}
	shown(begun)
	later := &ledger{sums: make(map[string]float64)}
	UseMetrics(later)
	shown(later)
}

// TestListsAreRecordedOnce: the audit has a list when it comes into force and not again with the next configuration, and the lists of
// files where the role checks them.
func TestListsAreRecordedOnce(t *testing.T) {
	org := newRevocable(t, protocolTLCP)
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	recorded := func() []string { return lines.EntriesMatching("event=revocation-list") }
	list := org.ca.RevocationList(t, x509.RevocationList{})
	for range 2 {
		publish(t, "channel", mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{list}))
		require.Len(t, recorded(), 1)
	}
	require.NotContains(t, recorded()[0], "never")
	publish(t, "channel", mspOf("Org", [][]byte{org.ca.CertPEM}, [][]byte{org.ca.RevocationList(t, x509.RevocationList{Number: big.NewInt(2)})}))
	require.Len(t, recorded(), 2)

	own, _ := org.node(t)
	read := newOrganization("the node's own files", nil)
	parsed, err := material.ParseLists("", list)
	require.NoError(t, err)
	require.NoError(t, read.add(parsed[0].CertificateList, []*x509.Certificate{org.ca.Cert}))
	load := func() (Material, error) {
		m, err := own.load()
		m.lists = read
		return m, err
	}
	server, _ := org.modes()
	for role, checks := range []bool{false, true} {
		newTestSource(t, SourceConfig{Role: t.Name() + strconv.Itoa(role), Load: load, ServerMode: server, CheckRevocation: checks})
		require.Len(t, recorded(), 2+role)
	}
}

// TestOtherMSPsHaveNoLists: an MSP that is not of X.509 certificates, and what is none, gives no organisation.
func TestOtherMSPsHaveNoLists(t *testing.T) {
	raw, err := proto.Marshal(&mspproto.MSPConfig{Type: int32(msp.IDEMIX), Config: []byte{0x0a, 1, 'I'}})
	require.NoError(t, err)
	for _, raw := range [][]byte{raw, []byte("nothing"), nil} {
		group := &cb.ConfigGroup{Values: map[string]*cb.ConfigValue{channelconfig.MSPKey: {Value: raw}}}
		orgs := organizationsOf("channel", &cb.Config{ChannelGroup: &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{"Org": group}}})
		for _, o := range orgs {
			require.Empty(t, o.msp, "%x", raw)
		}
	}
}

// TestDialerPolicy: dialers without a source are judged by a role that dials, not by one that only listens.
func TestDialerPolicy(t *testing.T) {
	org := newRevocable(t, protocolTLCP)
	own, _ := org.node(t)
	server, _ := org.modes()
	newTestSource(t, SourceConfig{Role: t.Name() + "listens", Load: fixed(own), ServerMode: server, CheckRevocation: true})
	require.Nil(t, revocationPolicy(nil))
	dials := org.source(t, "dials", own, true)
	require.Same(t, dials, revocationPolicy(nil))
}

// TestEndOfLists: the first end of several lists counts, and a list without one is never out of date (RFC 5280, section 5.1.2.5).
func TestEndOfLists(t *testing.T) {
	now := time.Now()
	o := newOrganization("Org", nil)
	require.Zero(t, o.end())
	put := func(ca byte, next time.Time) {
		o.current[keyID{ca}] = map[string]*pkix.CertificateList{"": {TBSCertList: pkix.TBSCertificateList{NextUpdate: next}}}
	}
	put('e', time.Time{})
	require.Zero(t, o.end())
	require.NoError(t, o.stale(keyID{'e'}, now))
	require.Nil(t, revocationStatus([]*organization{o}, now).Lists[0].NextUpdate)
	early, late := now.Add(time.Hour), now.Add(2*time.Hour)
	put('l', late)
	put('n', early)
	put('o', late)
	for range 20 { // of a map's order nothing may depend
		require.Equal(t, early, o.end())
	}
	require.NoError(t, o.stale(keyID{'n'}, now))
	require.ErrorContains(t, o.stale(keyID{'n'}, early.Add(time.Second)), "was to be replaced by")
}

// TestRefusedServerIsRecorded: the audit has it when the node refuses a server's certificate.
func TestRefusedServerIsRecorded(t *testing.T) {
	var events safeBuffer
	defer audit.Use(audit.Use(audit.NewLog(func(_ string, fields ...any) { fmt.Fprintln(&events, fields...) })))
	srv, _ := startServer(t, newPKI(t).node(t).options())
	require.Error(t, try(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: newPKI(t).roots()}))
	require.Contains(t, events.String(), string(audit.CertificateRefused))
	require.Contains(t, events.String(), "side client address "+srv.Address())
}
