// SPDX-License-Identifier: Apache-2.0

package tlsconfig

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/spf13/viper"
)

// settings is what a source was made from. Upstream asks for its TLS options more than once while a peer starts; as long as
// the answer would be the same, the source that earlier callers hold must stay the registered one.
type settings struct {
	files  comm.Files
	config comm.SourceConfig
}

// registering keeps two callers from making a source of one role at the same time.
var registering sync.Mutex

// PeerServerSource returns the live material of the peer's listeners. If the gateway presents another certificate than the
// rest of the peer when it dials, it also makes a separate source for the gateway, whose mode can be seen and switched.
func PeerServerSource() (*comm.Source, error) {
	mode, err := ServerMode("peer")
	if err != nil {
		return nil, err
	}
	perAddress, err := HandshakesPerAddress("peer")
	if err != nil {
		return nil, err
	}
	files := ServerFiles("peer")
	source, err := register(files, comm.SourceConfig{
		Role: tlsstatus.PeerServer, ServerMode: mode, ModeKey: serverModeKey("peer"), GMProtocolsKey: protocolsKey("peer"), HandshakesPerAddress: perAddress,
	})
	if err != nil || samePairs(files, ClientFiles("peer")) {
		return source, err
	}
	clientMode, err := ClientMode("peer")
	if err != nil {
		return nil, err
	}
	files.ClientRootCAs = nil
	_, err = register(files, comm.SourceConfig{Role: tlsstatus.PeerGateway, ClientMode: clientMode, ModeKey: clientModeKey("peer"), GMProtocolsKey: clientProtocolKey("peer")})
	return source, err
}

// PeerClientSource returns the live material with which the peer dials other nodes.
func PeerClientSource() (*comm.Source, error) {
	mode, err := ClientMode("peer")
	if err != nil {
		return nil, err
	}
	return register(ClientFiles("peer"), comm.SourceConfig{Role: tlsstatus.PeerClient, ClientMode: mode, ModeKey: clientModeKey("peer"), GMProtocolsKey: clientProtocolKey("peer")})
}

func samePairs(a, b comm.Files) bool {
	return a.Cert == b.Cert && a.Key == b.Key && a.SignCert == b.SignCert && a.SignKey == b.SignKey &&
		a.EncCert == b.EncCert && a.EncKey == b.EncKey
}

// register makes the source of a role, with what all channels of the peer have in common, unless it is there already.
func register(files comm.Files, cfg comm.SourceConfig) (*comm.Source, error) {
	registering.Lock()
	defer registering.Unlock()
	cfg.GMCipherSuites = viper.GetStringSlice("peer.tls.gm.cipherSuites")
	cfg.GMProtocols = viper.GetStringSlice(protocolsKey("peer"))
	var err error
	if cfg.GMClientProtocol, err = GMClientProtocol("peer"); err != nil {
		return nil, err
	}
	if cfg.GMHybrid, err = boolean("peer.tls.gm.hybridKeyExchange"); err != nil {
		return nil, err
	}
	if cfg.DrainGrace, err = DrainGrace("peer"); err != nil {
		return nil, err
	}
	revocation, err := RevocationSettings("peer")
	if err != nil {
		return nil, err
	}
	cfg.CheckRevocation = revocation.Check
	wanted := settings{files: files, config: cfg}
	if source := comm.LookupSource(cfg.Role); source != nil && reflect.DeepEqual(source.Settings(), wanted) {
		return source, nil
	}
	cfg.Load, cfg.Settings = files.Load, wanted
	source, err := comm.NewSource(cfg)
	if err != nil {
		return nil, fmt.Errorf("TLS material of %s: %w", cfg.Role, err)
	}
	return source, nil
}
