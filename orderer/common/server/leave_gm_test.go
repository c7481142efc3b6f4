// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/configtx"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/orderer/common/channelparticipation"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"github.com/hyperledger/fabric/orderer/common/types"
	"github.com/stretchr/testify/require"
)

// channelsOf is a registrar.
type channelsOf struct {
	channelparticipation.ChannelManagement
	system string
	names  []string
	err    error
}

func (c *channelsOf) ChannelList() (list types.ChannelList) {
	if c.system != "" {
		list.SystemChannel = &types.ChannelInfoShort{Name: c.system}
	}
	for _, name := range c.names {
		list.Channels = append(list.Channels, types.ChannelInfoShort{Name: name})
	}
	return list
}

func (c *channelsOf) RemoveChannel(string) error { return c.err }

// listsOf is a channel's configuration, of which its revocation list is looked at: one that cannot be used.
type listsOf struct {
	channelconfig.Resources
	configtx.Validator
	channel string
}

func (l listsOf) ConfigtxValidator() configtx.Validator { return l }
func (l listsOf) ChannelID() string                     { return l.channel }
func (l listsOf) ConfigProto() *cb.Config {
	fabric, _ := proto.Marshal(&mspproto.FabricMSPConfig{Name: l.channel + "MSP", RevocationList: [][]byte{[]byte("garbage")}})
	config, _ := proto.Marshal(&mspproto.MSPConfig{Type: int32(msp.FABRIC), Config: fabric})
	return &cb.Config{ChannelGroup: &cb.ConfigGroup{Values: map[string]*cb.ConfigValue{channelconfig.MSPKey: {Value: config}}}}
}

// TestLeftChannelsAreForgotten: a channel that was left, with all that went with it, gives no TLS root CAs and no revocation lists any
// more, at once: to listeners, to the dialer of orderers, or to roles that check revocation. What is still there does.
func TestLeftChannelsAreForgotten(t *testing.T) {
	const stays, goes, fixed = "stays", "goes", "fixed"
	cas := make(map[string]tlsgen.CA)
	for _, name := range []string{stays, goes, fixed} {
		ca, err := tlsgen.NewCA()
		require.NoError(t, err)
		cas[name] = ca
	}
	pair, err := cas[fixed].NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	source, err := comm.NewSource(comm.SourceConfig{
		Role: t.Name(), ServerMode: comm.ModeTLS, CheckRevocation: true,
		Load: func() (comm.Material, error) { return comm.ParseMaterial(pair.Cert, pair.Key, nil, nil) },
	})
	require.NoError(t, err)
	grpcServer, err := comm.NewGRPCServer("127.0.0.1:0", comm.ServerConfig{SecOpts: comm.SecureOptions{UseTLS: true, RequireClientCert: true, Source: source}})
	require.NoError(t, err)
	go grpcServer.Start()
	defer grpcServer.Stop()

	for name, c := range map[string]struct {
		channels channelsOf
		leave    string // empty: goes is joined
		left     bool
	}{
		"left":                         {channelsOf{names: []string{stays, goes}}, goes, true}, // listed while its ledger is removed
		"left and gone":                {channelsOf{names: []string{stays}}, goes, true},
		"not left":                     {channelsOf{names: []string{stays, goes}, err: types.ErrChannelNotExist}, "other", false},
		"removal pending":              {channelsOf{names: []string{stays, goes}, err: types.ErrChannelPendingRemoval}, goes, false},
		"gone with the system channel": {channelsOf{names: []string{stays}, err: errors.New("failed removing ledger")}, "system", true},
		"not joined":                   {channelsOf{names: []string{stays}, err: errors.New("no member")}, "", true},
		"joined":                       {channelsOf{names: []string{stays, goes}}, "", false},
		"joined already":               {channelsOf{names: []string{stays, goes}, err: types.ErrChannelAlreadyExists}, "", false},
		"a system channel":             {channelsOf{system: stays, names: []string{goes}, err: types.ErrSystemChannelExists}, goes, false},
	} {
		t.Run(name, func(t *testing.T) {
			roots := &caManager{
				appRootCAsByChain: make(map[string][][]byte), ordererRootCAsByChain: make(map[string][][]byte), clientRootCAs: [][]byte{cas[fixed].CertBytes()},
			}
			var all [][]byte
			for channel, ca := range map[string]tlsgen.CA{stays: cas[stays], goes: cas[goes]} {
				roots.appRootCAsByChain[channel] = [][]byte{ca.CertBytes()}
				roots.ordererRootCAsByChain[channel] = [][]byte{ca.CertBytes()}
				comm.UpdateRevocationLists(listsOf{channel: channel})
				defer comm.ForgetRevocationLists(channel)
				all = append(all, ca.CertBytes())
			}
			require.NoError(t, grpcServer.SetClientRootCAs(append(all, cas[fixed].CertBytes())))
			dialer := &cluster.PredicateDialer{}
			roots.updateClusterDialer(dialer, [][]byte{cas[fixed].CertBytes()})
			l := &leaving{ChannelManagement: &c.channels, roots: roots, servers: []*comm.GRPCServer{grpcServer}, dialer: dialer, local: [][]byte{cas[fixed].CertBytes()}}

			if c.leave == "" {
				require.ErrorIs(t, l.join(goes), c.channels.err)
			} else {
				require.ErrorIs(t, l.RemoveChannel(c.leave), c.channels.err)
			}
			trusted := map[string]bool{stays: true, goes: !c.left, fixed: true}
			dialed := make(map[string]bool)
			for _, root := range dialer.Config.SecOpts.ServerRootCAs {
				dialed[string(root)] = true
			}
			for name, want := range trusted {
				require.Equal(t, want, dialed[string(cas[name].CertBytes())], "dialing what %s has issued", name)
				require.Equal(t, want, accepts(t, grpcServer.Address(), cas[name]), "listening to what %s has issued", name)
			}
			judging := 2
			if c.left {
				judging = 1
			}
			for _, role := range comm.Status() {
				if role.Name == t.Name() || role.Revocation != nil {
					require.Len(t, role.Revocation.Refused, judging)
				}
			}
		})
	}
}

// accepts reports whether the server accepts a client of the CA.
func accepts(t *testing.T, address string, ca tlsgen.CA) bool {
	t.Helper()
	pair, err := ca.NewClientCertKeyPair()
	require.NoError(t, err)
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	require.NoError(t, err)
	raw, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, raw.SetDeadline(time.Now().Add(20*time.Second)))
	conn := tls.Client(raw, &tls.Config{Certificates: []tls.Certificate{cert}, InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := conn.Handshake(); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1)) // the server's settings, or its alert
	return err == nil
}
