// SPDX-License-Identifier: Apache-2.0

// Package tlsconfig reads the TLS keys of core.yaml, stock and GM, and turns them into the material that the comm layer
// uses. The node and the peer command both read them, so the rules are here once:
//
//   - PREFIX.tls.cert, key, clientCert and clientKey name the crypto/tls pairs, as in stock Fabric;
//   - PREFIX.tls.gm.signCert, signKey, encCert and encKey name the TLCP pair of a listener;
//   - PREFIX.tls.gm.clientSignCert, clientSignKey, clientEncCert and clientEncKey name the TLCP pair used for dialing,
//     by default the listener's;
//   - PREFIX.tls.gm.protocols lists what the GM modes of a listener mean (TLCP, TLS13), PREFIX.tls.gm.clientProtocol names what
//     is spoken when dialing with mode gm;
//   - PREFIX.tls.gm.keyPassword names the file with the password of encrypted keys of the TLCP pairs;
//   - PREFIX.tls.checkRevocation and revocationLists say whether certificates of peers are checked for revocation;
//   - PREFIX.tls.mode is what a listener speaks (tls, dual or gm), PREFIX.tls.clientMode what is spoken when dialing (tls or gm).
//
// PREFIX is "peer" or, in the peer command, "orderer".
package tlsconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hyperledger/fabric/core/config"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/spf13/viper"
)

func serverModeKey(prefix string) string { return prefix + ".tls.mode" }

func clientModeKey(prefix string) string { return prefix + ".tls.clientMode" }

// ServerMode returns PREFIX.tls.mode; absent means tls.
func ServerMode(prefix string) (comm.ServerMode, error) {
	key := serverModeKey(prefix)
	mode, err := comm.ParseServerMode(viper.GetString(key))
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return mode, nil
}

// ClientMode returns PREFIX.tls.clientMode; absent means tls.
func ClientMode(prefix string) (comm.ClientMode, error) {
	key := clientModeKey(prefix)
	mode, err := comm.ParseClientMode(viper.GetString(key))
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return mode, nil
}

func protocolsKey(prefix string) string { return prefix + ".tls.gm.protocols" }

func clientProtocolKey(prefix string) string { return prefix + ".tls.gm.clientProtocol" }

// GMClientProtocol returns PREFIX.tls.gm.clientProtocol; absent means TLCP.
func GMClientProtocol(prefix string) (string, error) {
	key := clientProtocolKey(prefix)
	name := viper.GetString(key)
	if err := comm.CheckGMProtocols(nil, name); err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return name, nil
}

// HandshakesPerAddress returns PREFIX.tls.handshakesPerAddress; absent means 0, the default of the comm layer.
func HandshakesPerAddress(prefix string) (int, error) {
	key := prefix + ".tls.handshakesPerAddress"
	text := viper.GetString(key)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > comm.MaxHandshakes {
		return 0, fmt.Errorf("%s is %q: use 1 to %d, or leave it out", key, text, comm.MaxHandshakes)
	}
	return n, nil
}

// DrainGrace returns PREFIX.tls.drainGrace; absent means 0, the default of the comm layer.
func DrainGrace(prefix string) (time.Duration, error) {
	key := prefix + ".tls.drainGrace"
	text := viper.GetString(key)
	if text == "" {
		return 0, nil
	}
	grace, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s is %q: write a time with its unit, such as 60s", key, text)
	}
	return grace, CheckDrainGrace(key, grace)
}

// ReadStandardPEM reads a certificate or key of crypto/tls. A process that speaks nothing but TLCP need not have one: with
// gmOnly a file that does not exist reads as empty. Any other fault is an error in every mode.
func ReadStandardPEM(path string, gmOnly bool) ([]byte, error) {
	content, err := os.ReadFile(path)
	if gmOnly && (path == "" || errors.Is(err, fs.ErrNotExist)) {
		return nil, nil
	}
	return content, err
}

// ServerIsGMOnly reports whether the listeners of PREFIX speak TLCP alone. A mode that cannot be parsed is not gm; where it is
// used it is reported.
func ServerIsGMOnly(prefix string) bool {
	mode, err := ServerMode(prefix)
	return err == nil && mode == comm.ModeGM
}

// ClientIsGMOnly reports whether PREFIX dials with TLCP.
func ClientIsGMOnly(prefix string) bool {
	mode, err := ClientMode(prefix)
	return err == nil && mode == comm.ClientGM
}

// ServerFiles returns the files of the listeners of PREFIX.
func ServerFiles(prefix string) comm.Files {
	files := comm.Files{
		Cert:     config.GetPath(prefix + ".tls.cert.file"),
		Key:      config.GetPath(prefix + ".tls.key.file"),
		SignCert: config.GetPath(prefix + ".tls.gm.signCert.file"),
		SignKey:  config.GetPath(prefix + ".tls.gm.signKey.file"),
		EncCert:  config.GetPath(prefix + ".tls.gm.encCert.file"),
		EncKey:   config.GetPath(prefix + ".tls.gm.encKey.file"),

		GMKeyPassword: config.GetPath(prefix + ".tls.gm.keyPassword.file"),
	}
	for _, name := range []string{
		"gm.signCert", "gm.signKey", "gm.encCert", "gm.encKey", "gm.clientSignCert", "gm.clientSignKey", "gm.clientEncCert", "gm.clientEncKey",
		"gm.keyPassword", "cert", "key", "clientCert", "clientKey", "rootcert",
	} {
		key := prefix + ".tls." + name + ".file"
		files = files.Named(key, config.GetPath(key))
	}
	if root := config.GetPath(prefix + ".tls.rootcert.file"); root != "" {
		files.ServerRootCAs = []string{root}
	}
	if viper.GetBool(prefix + ".tls.clientAuthRequired") {
		files.ClientRootCAs = clientRootFiles(prefix)
		for _, file := range files.ClientRootCAs {
			files = files.Named(prefix+".tls.clientRootCAs.files", file)
		}
	}
	files.RevocationLists = filesOf(prefix + ".tls.revocationLists.files")
	for _, file := range files.RevocationLists {
		files = files.Named(prefix+".tls.revocationLists.files", file)
	}
	if ServerIsGMOnly(prefix) {
		dropAbsentStandardPair(&files)
	}
	return files
}

// ClientFiles returns the files used for dialing; each pair that is not named falls back to that of the listener.
func ClientFiles(prefix string) comm.Files {
	files := ServerFiles(prefix)
	files.ClientRootCAs = nil
	if anySet(prefix, "clientCert", "clientKey") {
		files.Cert = config.GetPath(prefix + ".tls.clientCert.file")
		files.Key = config.GetPath(prefix + ".tls.clientKey.file")
	}
	if anySet(prefix, "gm.clientSignCert", "gm.clientSignKey", "gm.clientEncCert", "gm.clientEncKey") {
		files.SignCert = config.GetPath(prefix + ".tls.gm.clientSignCert.file")
		files.SignKey = config.GetPath(prefix + ".tls.gm.clientSignKey.file")
		files.EncCert = config.GetPath(prefix + ".tls.gm.clientEncCert.file")
		files.EncKey = config.GetPath(prefix + ".tls.gm.clientEncKey.file")
	}
	if ClientIsGMOnly(prefix) {
		dropAbsentStandardPair(&files)
	}
	return files
}

func anySet(prefix string, names ...string) bool {
	for _, name := range names {
		if viper.GetString(prefix+".tls."+name+".file") != "" {
			return true
		}
	}
	return false
}

func clientRootFiles(prefix string) []string { return filesOf(prefix + ".tls.clientRootCAs.files") }

// filesOf resolves a list of files relative to the configuration file, as single paths are.
func filesOf(key string) []string {
	var files []string
	for _, file := range viper.GetStringSlice(key) {
		files = append(files, config.TranslatePath(filepath.Dir(viper.ConfigFileUsed()), file))
	}
	return files
}

// dropAbsentStandardPair forgets the crypto/tls pair when neither file is there: sampleconfig names both by default.
func dropAbsentStandardPair(files *comm.Files) {
	if absent(files.Cert) && absent(files.Key) {
		files.Cert, files.Key = "", ""
	}
}

func absent(path string) bool {
	if path == "" {
		return true
	}
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
