// SPDX-License-Identifier: Apache-2.0

package gmshim

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/internal/settings"
)

// Variables of the environment. If there are two names, Fabric's sample chaincode servers use the first and
// fabric-contract-api-go the second. Set one of them, or both to the same value.
var (
	envAddress  = []string{"CHAINCODE_SERVER_ADDRESS"}
	envID       = []string{"CHAINCODE_ID", "CORE_CHAINCODE_ID_NAME"}
	envTLSKey   = []string{"CHAINCODE_TLS_KEY", "CORE_TLS_CLIENT_KEY_FILE"}
	envTLSCert  = []string{"CHAINCODE_TLS_CERT", "CORE_TLS_CLIENT_CERT_FILE"}
	envClientCA = []string{"CHAINCODE_CLIENT_CA_CERT", "CORE_PEER_TLS_ROOTCERT_FILE"}

	envSignCert = []string{"CHAINCODE_TLCP_SIGN_CERT"}
	envSignKey  = []string{"CHAINCODE_TLCP_SIGN_KEY"}
	envEncCert  = []string{"CHAINCODE_TLCP_ENC_CERT"}
	envEncKey   = []string{"CHAINCODE_TLCP_ENC_KEY"}
)

const (
	envMode        = "CHAINCODE_TLS_MODE"
	envProtocols   = "CHAINCODE_GM_PROTOCOLS"
	envTLSDisabled = "CHAINCODE_TLS_DISABLED"
	envTLSEnabled  = "CORE_PEER_TLS_ENABLED"
)

// FromEnv makes the server that the environment describes:
//
//	CHAINCODE_SERVER_ADDRESS                              address to listen on, host:port
//	CHAINCODE_ID or CORE_CHAINCODE_ID_NAME                package id, as the peer printed it on install
//	CHAINCODE_TLS_MODE                                    tls or gm; absent: TLS or no protection, as in stock Fabric
//	CHAINCODE_GM_PROTOCOLS                                protocols of gm: TLCP (also when absent), TLS13, or TLCP,TLS13
//	CHAINCODE_TLS_DISABLED or CORE_PEER_TLS_ENABLED       boolean; absent: no TLS
//	CHAINCODE_TLS_CERT or CORE_TLS_CLIENT_CERT_FILE       TLS certificate, PEM file
//	CHAINCODE_TLS_KEY or CORE_TLS_CLIENT_KEY_FILE         its key, PEM file
//	CHAINCODE_TLCP_SIGN_CERT, CHAINCODE_TLCP_SIGN_KEY     TLCP signing pair, PEM files
//	CHAINCODE_TLCP_ENC_CERT, CHAINCODE_TLCP_ENC_KEY       TLCP encryption pair, PEM files
//	CHAINCODE_CLIENT_CA_CERT or CORE_PEER_TLS_ROOTCERT_FILE  roots of the peers' client certificates, PEM file; absent:
//	                                                      no client certificate is asked for
//
// These are errors: a missing file, a file's variable that is set and empty, two names with different values, an invalid boolean, TLS
// disabled together with a mode, a TLCP file without mode gm, a misspelt variable, roots of clients under another name, and a variable for
// TLS or TLCP, also one that nobody reads, where no variable turns TLS on or off. The server never starts with less protection than the
// environment asks for.
//
// When the files have changed, new connections get what they hold. The properties of the server that a program then changes are
// the program's: the files are not read again.
func FromEnv(chaincode shim.Chaincode) (*ChaincodeServer, error) {
	address, err := required(envAddress)
	if err != nil {
		return nil, err
	}
	id, err := required(envID)
	if err != nil {
		return nil, err
	}
	server := &ChaincodeServer{ChaincodeServer: shim.ChaincodeServer{CCID: id, Address: address, CC: chaincode}}

	if err := checkNames(); err != nil {
		return nil, err
	}
	mode, err := modeFromEnv()
	if err != nil {
		return nil, err
	}
	if mode != "gm" {
		if name := gmVariable(); name != "" {
			return nil, fmt.Errorf("gmshim: %s is set, but %s is not gm: set it to gm, or unset %s", name, envMode, name)
		}
	}
	if mode == "" {
		server.TLSProps.Disabled = true
		return server, nil
	}
	server.read = func() (protection, error) { return protectionFromEnv(mode) }
	if server.held, err = server.read(); err != nil {
		return nil, err
	}
	server.TLSProps = server.held.tls
	if server.held.tlcp != nil {
		tlcp := *server.held.tlcp // which the program may change
		server.TLCP = &tlcp
	}
	return server, nil
}

// protectionFromEnv reads the files of a mode.
func protectionFromEnv(mode string) (p protection, err error) {
	if mode == "gm" {
		p.tls.Disabled = true
		p.tlcp, err = tlcpFromEnv()
	} else {
		p.tls, err = tlsFromEnv()
	}
	if err == nil && len(p.roots()) == 0 {
		err = refuseUnread()
	}
	return p, err
}

// modeFromEnv returns "tls", "gm", or "" for a connection without protection.
func modeFromEnv() (string, error) {
	disabled, disabledSet, err := boolean(envTLSDisabled)
	if err != nil {
		return "", err
	}
	enabled, enabledSet, err := boolean(envTLSEnabled)
	if err != nil {
		return "", err
	}
	if disabledSet && enabledSet && disabled == enabled {
		return "", fmt.Errorf("gmshim: %s=%t contradicts %s=%t: unset one of them", envTLSDisabled, disabled, envTLSEnabled, enabled)
	}
	off := disabled || enabledSet && !enabled
	switch mode := os.Getenv(envMode); mode {
	case "tls", "gm":
		if off {
			return "", fmt.Errorf("gmshim: %s=%s while %s or %s turns TLS off: unset one of them", envMode, mode, envTLSDisabled, envTLSEnabled)
		}
		return mode, nil
	case "":
		switch {
		case off:
			return "", nil
		case !disabledSet && !enabledSet:
			return "", refuseUnsaid()
		}
		return "tls", nil
	default:
		return "", fmt.Errorf("gmshim: %s=%s: want tls or gm", envMode, mode)
	}
}

// refuseUnsaid refuses variables that ask for protection where nothing says whether TLS is on.
func refuseUnsaid() error {
	const remedy = "and nothing says that TLS is on: set %s=tls or gm and the files of the mode, or %s=true for a server without protection"
	for _, name := range slices.Concat(envTLSCert, envTLSKey, envClientCA) {
		if os.Getenv(name) != "" {
			return fmt.Errorf("gmshim: %s is set, "+remedy, name, envMode, envTLSDisabled)
		}
	}
	if gmVariable() == "" { // about which FromEnv says more
		if name := unread(asksForProtection); name != "" {
			return fmt.Errorf("gmshim: %s is set, which nobody reads, "+remedy, name, envMode, envTLSDisabled)
		}
	}
	return refuseEmpty(append([]string{envMode}, envClientCA...))
}

var (
	// protects finds names under which people turn protection on or name its files: those of other shims, of the peer, and of the variables
	// beside ours. Those of a chaincode's own connections, as CHAINCODE_DATABASE_TLS_CERT, are others.
	protects = regexp.MustCompile(`^(CHAINCODE|CORE_CHAINCODE|CORE_PEER|CORE)_((SERVER|PEER|CLIENT)_)*(M?TLS|TLCP|GM|SSL)(_|$)`)
	// protocol finds names of which only the value says whether they are about protection.
	protocol = regexp.MustCompile(`^(CORE_)?CHAINCODE_(SERVER_)?(MODE|PROTOCOLS?)=(GM|M?TLS|TLCP)`)
	// serviceLink finds what Kubernetes and Docker set for a service that is called, for example, chaincode-tls.
	serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
)

func asksForProtection(name, value string) bool {
	name = strings.ToUpper(name)
	return protects.MatchString(name) || protocol.MatchString(name+"="+strings.ToUpper(value)) || asksForClients(name, value)
}

// refuseEmpty refuses variables that ask for protection and have no value, as in a Compose file whose own variable is not set. Without
// roots the server would ask no client for a certificate.
func refuseEmpty(names []string) error {
	for _, name := range names {
		if value, set := os.LookupEnv(name); set && value == "" {
			return fmt.Errorf("gmshim: %s is set and empty: give it a value, or unset it", name)
		}
	}
	return nil
}

// checkNames refuses a variable that is a misspelt one of those that protect the server.
func checkNames() error {
	ours, others := []string{envMode, envProtocols, envTLSDisabled}, []string{envTLSEnabled}
	for _, names := range [][]string{envTLSKey, envTLSCert, envClientCA, envSignCert, envSignKey, envEncCert, envEncKey} {
		ours, others = append(ours, names[0]), append(others, names[1:]...)
	}
	environment := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return serviceLink.MatchString(name) // CHAINCODE_TLS_PORT is nearly CHAINCODE_TLS_CERT
	})
	err := settings.CheckVariables(environment, ours, "CHAINCODE_")
	if err == nil {
		err = settings.CheckVariables(environment, others, "CORE_")
	}
	if err != nil {
		return fmt.Errorf("gmshim: %w", err)
	}
	return nil
}

// clientRoots finds names, without underscores, under which people give what envClientCA is for: those of other shims, of the peer, and
// of the variables beside it.
var clientRoots = regexp.MustCompile(`^(CHAINCODE(SERVER|PEER|TLS|TLCP|GM)*(CLIENT(AUTH|CAS?|ROOTS?|ROOTCAS?)|(CA|ROOT)CERTS?|ROOTCAS?)` +
	`|COREPEERTLSROOT(CAS?|CERTS?))(REQUIRED|CERTS?|FILES?|PATHS?)*$`)

func asksForClients(name, _ string) bool {
	return clientRoots.MatchString(strings.ReplaceAll(strings.ToUpper(name), "_", ""))
}

// refuseUnread refuses variables that ask for certificates of clients and that nobody reads. Without roots, everybody who reaches the
// port is the peer.
func refuseUnread() error {
	if name := unread(asksForClients); name != "" {
		return fmt.Errorf("gmshim: %s is set, which nobody reads, and the server would ask for no client certificate: set %s, or unset %s",
			name, envClientCA[0], name)
	}
	return nil
}

// unread returns a variable that asks for something, unless its value says no or a platform has set it.
func unread(asks func(name, value string) bool) string {
	for _, variable := range slices.Sorted(slices.Values(os.Environ())) {
		name, value, _ := strings.Cut(variable, "=")
		if value != "" && !isFalse(value) && !serviceLink.MatchString(name) && asks(name, value) {
			return name
		}
	}
	return ""
}

func isFalse(value string) bool {
	b, err := strconv.ParseBool(value)
	return err == nil && !b
}

// gmVariable returns a variable that is set and belongs to mode gm alone.
func gmVariable() string {
	if os.Getenv(envProtocols) != "" {
		return envProtocols
	}
	prefix := strings.TrimSuffix(envSignCert[0], "SIGN_CERT")
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if value != "" && strings.HasPrefix(name, prefix) && !serviceLink.MatchString(name) {
			return name
		}
	}
	return ""
}

func tlsFromEnv() (props shim.TLSProperties, err error) {
	err = readAll(
		file{envTLSCert, &props.Cert, true},
		file{envTLSKey, &props.Key, true},
		file{envClientCA, &props.ClientCACerts, false},
	)
	return props, err
}

func tlcpFromEnv() (*TLCPProperties, error) {
	props := &TLCPProperties{}
	var err error
	if props.Versions, err = versions(os.Getenv(envProtocols)); err != nil {
		return nil, err
	}
	err = readAll(
		file{envSignCert, &props.SignCert, true},
		file{envSignKey, &props.SignKey, true},
		file{envEncCert, &props.EncCert, true},
		file{envEncKey, &props.EncKey, true},
		file{envClientCA, &props.ClientCACerts, false},
	)
	return props, err
}

// versions parses a list of GM protocols; empty means TLCP.
func versions(list string) (all []uint16, err error) {
	if list == "" {
		return nil, nil
	}
	for _, name := range strings.Split(list, ",") {
		version, ok := map[string]uint16{"TLCP": gmtls.VersionTLCP, "TLS13": gmtls.VersionTLS13}[strings.TrimSpace(name)]
		if !ok || slices.Contains(all, version) {
			return nil, fmt.Errorf("gmshim: %s=%s: want TLCP, TLS13, or TLCP,TLS13", envProtocols, list)
		}
		all = append(all, version)
	}
	return all, nil
}

// file is a PEM file that a variable names.
type file struct {
	names    []string
	content  *[]byte
	required bool
}

func readAll(files ...file) error {
	for _, f := range files {
		if err := refuseEmpty(f.names); err != nil {
			return err
		}
		path, err := lookup(f.names)
		if err != nil {
			return err
		}
		if path == "" {
			if f.required {
				return fmt.Errorf("gmshim: %s is not set: it must name a PEM file", f.names[0])
			}
			continue
		}
		*f.content, err = material.ReadBounded(path, material.MaxFile)
		if err != nil {
			return fmt.Errorf("gmshim: %s: %w", f.names[0], err)
		}
		if len(*f.content) == 0 {
			return fmt.Errorf("gmshim: %s: %s is empty", f.names[0], path)
		}
	}
	return nil
}

func required(names []string) (string, error) {
	value, err := lookup(names)
	if err == nil && value == "" {
		err = errors.New("gmshim: " + names[0] + " is not set")
	}
	return value, err
}

// lookup returns the value that the variables agree on, empty when none is set.
func lookup(names []string) (string, error) {
	var value, from string
	for _, name := range names {
		v := os.Getenv(name)
		if v == "" {
			continue
		}
		if value != "" && v != value {
			return "", fmt.Errorf("gmshim: %s and %s are both set and differ: unset one of them", from, name)
		}
		value, from = v, name
	}
	return value, nil
}

func boolean(name string) (value, set bool, err error) {
	text := os.Getenv(name)
	if text == "" {
		return false, false, nil
	}
	value, err = strconv.ParseBool(text)
	if err != nil {
		return false, false, fmt.Errorf("gmshim: %s=%s: want true or false", name, text)
	}
	return value, true, nil
}
