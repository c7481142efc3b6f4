// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/hyperledger/fabric/common/metadata"
	"github.com/hyperledger/fabric/internal/osnadmin"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"gopkg.in/alecthomas/kingpin.v2"
)

const (
	modeTLS = string(comm.ClientTLS)
	modeGM  = string(comm.ClientGM)
)

// tlsFlags are the values of the flags that newApp adds.
var tlsFlags struct {
	mode, encCert, encKey string
	keyPassword           string // file whose first line opens both keys of the TLCP pair
	protocol              string // of mode gm
	plain                 bool   // there is no --ca-file, so the command speaks plain HTTP
}

// lastStatus is the HTTP status of the response that executeForArgs has printed; 0 if there was none.
var lastStatus int

// newApp makes the command line with the flags for TLCP. In mode gm --client-cert and --client-key name the signing pair.
func newApp() *kingpin.Application {
	tlsFlags.mode, tlsFlags.encCert, tlsFlags.encKey, tlsFlags.keyPassword = modeTLS, "", "", ""
	tlsFlags.protocol = comm.GMProtocolTLCP
	app := kingpin.New("osnadmin", "Orderer Service Node (OSN) administration").Version(metadata.VersionInfo("osnadmin"))
	app.Flag("tls-mode", "Protocol for the OSN's admin endpoint: tls, or gm for TLCP (GB/T 38636) with SM2 certificates").
		Default(modeTLS).EnumVar(&tlsFlags.mode, modeTLS, modeGM)
	for _, other := range []string{"tlsmode", "tlsMode"} { // as the commands peer and discover have it
		app.Flag(other, "").Hidden().PreAction(func(*kingpin.ParseContext) error {
			return fmt.Errorf("--%s: this command spells it --tls-mode", other)
		}).String()
	}
	app.Flag("gm-protocol", "With --tls-mode gm: TLCP, or TLS13 for TLS 1.3 with GM suites (RFC 8998)").
		Default(comm.GMProtocolTLCP).EnumVar(&tlsFlags.protocol, comm.GMProtocolTLCP, comm.GMProtocolTLS13)
	app.Flag("client-enc-cert", "Path to file containing the PEM-encoded SM2 encryption certificate (with --tls-mode gm; --client-cert is then the SM2 signing certificate)").
		StringVar(&tlsFlags.encCert)
	app.Flag("client-enc-key", "Path to file containing the PEM-encoded private key of --client-enc-cert").
		StringVar(&tlsFlags.encKey)
	app.Flag("client-key-password-file", "Path to file whose first line opens the keys of the TLCP pair, if they are encrypted").
		StringVar(&tlsFlags.keyPassword)
	app.Validate(func(app *kingpin.Application) error {
		given := func(flag string) bool { return app.GetFlag(flag).Model().Value.String() != "" }
		tlsFlags.plain = !given("ca-file")
		return checkTLSFlags(given("client-cert") || given("client-key"))
	})
	return app
}

// checkTLSFlags refuses flags that would be ignored: without --ca-file the command speaks plain HTTP.
func checkTLSFlags(clientPair bool) error {
	if tlsFlags.plain && clientPair {
		return errors.New("--client-cert and --client-key need --ca-file: without it the command speaks plain HTTP")
	}
	if tlsFlags.mode != modeGM {
		if tlsFlags.encCert != "" || tlsFlags.encKey != "" || tlsFlags.keyPassword != "" {
			return errors.New("--client-enc-cert, --client-enc-key and --client-key-password-file need --tls-mode gm")
		}
		if tlsFlags.protocol != comm.GMProtocolTLCP {
			return errors.New("--gm-protocol needs --tls-mode gm")
		}
		return nil
	}
	if tlsFlags.plain {
		return errors.New("--tls-mode gm needs --ca-file with the OSN's SM2 TLS CA certificate")
	}
	if tlsFlags.encCert == "" || tlsFlags.encKey == "" {
		return errors.New("--tls-mode gm needs --client-enc-cert and --client-enc-key in addition to --client-cert and --client-key")
	}
	return nil
}

// loadClient makes the client that connects to the OSN with these roots and files, as the mode says.
func loadClient(roots []byte, certFile, keyFile string) (tls.Certificate, error) {
	options := comm.SecureOptions{
		UseTLS: true, RequireClientCert: true, ServerRootCAs: [][]byte{roots}, ClientMode: comm.ClientMode(tlsFlags.mode),
		GMClientProtocol: tlsFlags.protocol,
	}
	if options.ClientMode == comm.ClientGM {
		material, err := comm.Files{
			SignCert: certFile, SignKey: keyFile, EncCert: tlsFlags.encCert, EncKey: tlsFlags.encKey,
			GMKeyPassword: tlsFlags.keyPassword,
		}.Load()
		if err != nil {
			return tls.Certificate{}, err
		}
		options.Material = &material
		return osnadmin.Client(options)
	}
	var err error
	if options.Certificate, err = os.ReadFile(certFile); err != nil {
		return tls.Certificate{}, err
	}
	if options.Key, err = os.ReadFile(keyFile); err != nil {
		return tls.Certificate{}, err
	}
	return osnadmin.Client(options)
}

// executeChecked makes the command fail when the OSN has refused the request. Upstream exits with 0 as soon as there is an
// answer, whatever it says, and scripts continue as if a channel had been joined.
func executeChecked(args []string) (output string, exit int, err error) {
	lastStatus = 0
	output, exit, err = executeForArgs(args)
	if err == nil && exit == 0 && lastStatus >= http.StatusBadRequest {
		exit = 1
	}
	return output, exit, err
}

// checkAnswer keeps the status for executeChecked, and refuses what no OSN answers.
func checkAnswer(statusCode int, responseBody []byte) error {
	lastStatus = statusCode
	if len(responseBody) > 0 && !json.Valid(responseBody) {
		return fmt.Errorf("the answer is not that of an OSN's admin endpoint, %d %s: %.200q", statusCode, http.StatusText(statusCode), responseBody)
	}
	return nil
}

// isDialError reports whether there was nothing to talk to.
func isDialError(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "dial"
}

// isPlainAnswer reports whether a handshake was answered in text.
func isPlainAnswer(err error) bool {
	var header tls.RecordHeaderError
	return errors.As(err, &header) && header.RecordHeader == [5]byte{'H', 'T', 'T', 'P', '/'} ||
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// errorOutput names the flag and the key when the OSN does not speak this command's protocol.
//
//fork:wrap gm: explain a refused protocol
func errorOutput(err error) string {
	if mode := (*comm.ModeError)(nil); errors.As(err, &mode) {
		err = fmt.Errorf("%w (this client's mode is --tls-mode, the server's Admin.TLS.Mode in orderer.yaml)", err)
	} else if tlsFlags.plain && !isDialError(err) {
		err = fmt.Errorf("%w (this command speaks plain HTTP, as --ca-file is absent: if the OSN has Admin.TLS.Enabled, give --ca-file, "+
			"--client-cert and --client-key, and --tls-mode gm with its companions for TLCP)", err)
	} else if !tlsFlags.plain && isPlainAnswer(err) {
		err = fmt.Errorf("%w (the OSN's admin endpoint speaks plain HTTP: set Admin.TLS.Enabled in orderer.yaml, or check the address)", err)
	}
	return upstreamErrorOutput(err)
}
