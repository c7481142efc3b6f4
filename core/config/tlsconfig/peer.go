// SPDX-License-Identifier: Apache-2.0

package tlsconfig

import (
	"fmt"
	"strconv"

	"github.com/hyperledger/fabric/core/config"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/pkg/comm/tlsadmin"
	"github.com/spf13/viper"
)

// ChaincodeModeKey names the protocol in which chaincode that the peer launched connects back.
const ChaincodeModeKey = "chaincode.tls.mode"

// ChaincodeProtocolsKey names what mode gm means there. Chaincode is told to speak the first of the list.
const ChaincodeProtocolsKey = "chaincode.tls.gm.protocols"

// CheckPeer refuses settings of a peer's channels that are wrong or contradict each other, before any file is opened. What is no
// fault but worth knowing is returned as notes.
func CheckPeer() (notes []string, err error) {
	for _, check := range []func() error{checkPeerChannels, checkOperations, checkLaunchedChaincode} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	server, client := pairSettings("peer", ""), pairSettings("peer", "client")
	modes := []Setting{setting(serverModeKey("peer"))}
	if !client.Given() {
		modes = append(modes, setting(clientModeKey("peer")))
	}
	for _, note := range []string{
		Unused(server, modes...),
		Unused(client, setting(clientModeKey("peer"))),
		Unused(pairSettings("operations", ""), setting(serverModeKey("operations"))),
	} {
		if note != "" {
			notes = append(notes, note)
		}
	}
	return notes, nil
}

func checkPeerChannels() error {
	listener, err := listenerSettings("peer")
	if err != nil {
		return err
	}
	if err := listener.Check(); err != nil {
		return err
	}
	client := pairSettings("peer", "client")
	if err := client.Check(); err != nil {
		return err
	}
	mode := setting(clientModeKey("peer"))
	if err := CheckDialer(mode, listener.Enabled, listener.EnabledKey); err != nil {
		return err
	}
	switch {
	case mode.Value == string(comm.ClientGM) && !client.Given() && !listener.Pair.Given():
		return fmt.Errorf("%s is %q but no SM2 certificates are given: set %s and its three companions, or those of %s",
			mode.Key, mode.Value, listener.Pair[0].Key, client[0].Key)
	case listener.Enabled && mode.Value != string(comm.ClientGM) && ServerIsGMOnly("peer") &&
		absent(ClientFiles("peer").Cert) && absent(ClientFiles("peer").Key):
		return fmt.Errorf("%s is %q without a TLS certificate, but %s is %q (the default): set %s to %q, or give %s and %s, as files that exist",
			listener.Mode.Key, listener.Mode.Value, mode.Key, comm.ClientTLS, mode.Key, comm.ClientGM,
			"peer.tls.cert.file", "peer.tls.key.file")
	}
	return nil
}

func checkOperations() error {
	listener, err := listenerSettings("operations")
	if err != nil {
		return err
	}
	if err := listener.Check(); err != nil {
		return err
	}
	_, err = Operators()
	return err
}

// checkLaunchedChaincode knows that the listener for launched chaincode is protected as the peer's own is.
func checkLaunchedChaincode() error {
	enabled, err := Enabled("peer")
	if err != nil {
		return err
	}
	mode, protocols := setting(ChaincodeModeKey), ChaincodeProtocols()
	if err := comm.CheckGMProtocols(protocols, ""); err != nil {
		return fmt.Errorf("%s: %w", ChaincodeProtocolsKey, err)
	}
	if len(protocols) > 0 && mode.Value != string(comm.ModeGM) {
		return fmt.Errorf("%s is given but %s is %q: set it to gm, or leave %s out", ChaincodeProtocolsKey, mode.Key, mode.Value, ChaincodeProtocolsKey)
	}
	return CheckDialer(mode, enabled, "peer.tls.enabled")
}

// ChaincodeProtocols returns chaincode.tls.gm.protocols; nothing means TLCP.
func ChaincodeProtocols() []string { return viper.GetStringSlice(ChaincodeProtocolsKey) }

// Operators returns operations.operators, the clients that may change the protection of the peer's channels.
func Operators() (tlsadmin.Operators, error) {
	const key = "operations.operators"
	operators, err := tlsadmin.ParseOperators(viper.GetStringSlice(key))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return operators, nil
}

// listenerSettings reads the settings of the listeners of PREFIX, "peer" or "operations".
func listenerSettings(prefix string) (Listener, error) {
	listener := Listener{
		Mode:         setting(serverModeKey(prefix)),
		EnabledKey:   prefix + ".tls.enabled",
		Certificate:  file(prefix, "cert"),
		Pair:         pairSettings(prefix, ""),
		CipherSuites: viper.GetStringSlice(prefix + ".tls.gm.cipherSuites"),
		SuitesKey:    prefix + ".tls.gm.cipherSuites",
		Protocols:    viper.GetStringSlice(protocolsKey(prefix)),
		ProtocolsKey: protocolsKey(prefix),
	}
	var err error
	if listener.Enabled, err = Enabled(prefix); err != nil {
		return listener, err
	}
	if _, err := boolean(prefix + ".tls.clientAuthRequired"); err != nil {
		return listener, err
	}
	if _, err := boolean(prefix + ".tls.gm.hybridKeyExchange"); err != nil {
		return listener, err
	}
	if _, err := GMClientProtocol(prefix); err != nil {
		return listener, err
	}
	if _, err := HandshakesPerAddress(prefix); err != nil {
		return listener, err
	}
	if listener.Revocation, err = RevocationSettings(prefix); err != nil {
		return listener, err
	}
	_, err = DrainGrace(prefix)
	return listener, err
}

// RevocationSettings reads PREFIX.tls.checkRevocation, absent meaning false, and PREFIX.tls.revocationLists.files.
func RevocationSettings(prefix string) (Revocation, error) {
	r := Revocation{CheckKey: prefix + ".tls.checkRevocation", ListsKey: prefix + ".tls.revocationLists.files"}
	r.Lists = filesOf(r.ListsKey)
	var err error
	r.Check, err = boolean(r.CheckKey)
	return r, err
}

// Enabled returns PREFIX.tls.enabled; absent means false.
func Enabled(prefix string) (bool, error) { return boolean(prefix + ".tls.enabled") }

// ClientModeSetting returns PREFIX.tls.clientMode as it is in the configuration.
func ClientModeSetting(prefix string) Setting { return setting(clientModeKey(prefix)) }

func setting(key string) Setting { return Setting{key, viper.GetString(key)} }

func file(prefix, name string) Setting {
	key := prefix + ".tls." + name + ".file"
	return Setting{key, config.GetPath(key)}
}

// pairSettings returns the TLCP pair of PREFIX; role is "" or "client".
func pairSettings(prefix, role string) Pair {
	if role == "" {
		return Pair{file(prefix, "gm.signCert"), file(prefix, "gm.signKey"), file(prefix, "gm.encCert"), file(prefix, "gm.encKey")}
	}
	return Pair{
		file(prefix, "gm.clientSignCert"), file(prefix, "gm.clientSignKey"),
		file(prefix, "gm.clientEncCert"), file(prefix, "gm.clientEncKey"),
	}
}

// boolean refuses a value that viper would take for false because it cannot be read: a switch for protection must not be off by
// a typing error.
func boolean(key string) (bool, error) {
	text := viper.GetString(key)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%s is %q: write true or false", key, text)
	}
	return value, nil
}
