// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/configtx"
	"github.com/hyperledger/fabric/msp"
)

// channelOf is a channel whose application organisations have TLS authorities, by the identifiers of their MSPs.
type channelOf struct {
	channelconfig.Resources
	name   string
	roots  map[string][][]byte
	config *cb.Config
}

func (c channelOf) ConfigtxValidator() configtx.Validator {
	return validatorOf{name: c.name, config: c.config}
}
func (c channelOf) MSPManager() msp.MSPManager { return managerOf{roots: c.roots} }
func (c channelOf) ApplicationConfig() (channelconfig.Application, bool) {
	return applicationOf{roots: c.roots}, true
}

type validatorOf struct {
	configtx.Validator
	name   string
	config *cb.Config
}

func (v validatorOf) ChannelID() string       { return v.name }
func (v validatorOf) ConfigProto() *cb.Config { return v.config }

type managerOf struct {
	msp.MSPManager
	roots map[string][][]byte
}

func (m managerOf) GetMSPs() (map[string]msp.MSP, error) {
	all := make(map[string]msp.MSP)
	for id, roots := range m.roots {
		all[id] = mspWith{roots: roots}
	}
	return all, nil
}

type mspWith struct {
	msp.MSP
	roots [][]byte
}

func (mspWith) GetType() msp.ProviderType         { return msp.FABRIC }
func (m mspWith) GetTLSRootCerts() [][]byte       { return m.roots }
func (mspWith) GetTLSIntermediateCerts() [][]byte { return nil }

type applicationOf struct {
	channelconfig.Application
	roots map[string][][]byte
}

func (a applicationOf) Organizations() map[string]channelconfig.ApplicationOrg {
	all := make(map[string]channelconfig.ApplicationOrg)
	for id := range a.roots {
		all[id] = orgOf{id: id}
	}
	return all
}

type orgOf struct {
	channelconfig.ApplicationOrg
	id string
}

func (o orgOf) MSPID() string { return o.id }

// TestRootsOfChannelsAreFollowed: with each configuration of a channel, a peer trusts the organisations that have joined, and those that
// have left no more, although nothing of its own has changed. The channel's revocation lists come in by the same way.
func TestRootsOfChannelsAreFollowed(t *testing.T) {
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		t.Run(string(mode), func(t *testing.T) {
			org, other := newPKI(t), newPKI(t)
			own := org.node(t)
			own.ServerRootCAs = nil
			source := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(own), ClientMode: mode})
			cert, err := source.ClientCertificate()
			require.NoError(t, err)
			cs := NewCredentialSupport()
			cs.SetClientCertificate(cert)
			so := other.node(t).options()
			so.ServerMode = ModeDual
			srv, _ := startServer(t, so)
			reach := func() error {
				conn, err := grpc.NewClient(srv.Address(), grpc.WithTransportCredentials(cs.GetPeerCredentials()))
				require.NoError(t, err)
				defer conn.Close()
				_, err = call(t, conn)
				return err
			}
			without := map[string][][]byte{"Org": org.roots()}
			with := map[string][][]byte{"Org": org.roots(), "Other": other.roots()}
			t.Cleanup(func() { setChannelLists(t.Name(), nil) })
			cs.BuildTrustedRootsForChain(channelOf{name: t.Name(), roots: without})
			require.Error(t, reach())
			cs.BuildTrustedRootsForChain(channelOf{name: t.Name(), roots: with})
			require.NoError(t, reach(), "it has joined")
			cs.BuildTrustedRootsForChain(channelOf{name: t.Name(), roots: without})
			require.Error(t, reach(), "it has left")

			raw, err := proto.Marshal(mspOf("Org", nil, nil))
			require.NoError(t, err)
			raw, err = proto.Marshal(&mspproto.MSPConfig{Config: raw})
			require.NoError(t, err)
			cs.BuildTrustedRootsForChain(channelOf{name: t.Name(), roots: without, config: &cb.Config{ChannelGroup: &cb.ConfigGroup{
				Values: map[string]*cb.ConfigValue{channelconfig.MSPKey: {Value: raw}},
			}}})
			channelLists.mu.Lock()
			defer channelLists.mu.Unlock()
			require.Len(t, channelLists.byChannel[t.Name()], 1)
		})
	}
}

// TestClientCertificateIsReplaced: what was set last is presented.
func TestClientCertificateIsReplaced(t *testing.T) {
	org := newPKI(t)
	cs := NewCredentialSupport(org.roots()...)
	for range 2 {
		m, err := org.node(t).load()
		require.NoError(t, err)
		cs.SetClientCertificate(*m.Std)
		state, err := (&supportDialer{cs}).current()
		require.NoError(t, err)
		require.Equal(t, leafHash(m.Std.Certificate), state.hash)
	}
}
