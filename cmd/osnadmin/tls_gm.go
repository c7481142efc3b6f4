// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hyperledger/fabric/common/metadata"
	"github.com/hyperledger/fabric/internal/osnadmin"
	"gopkg.in/alecthomas/kingpin.v2"
)

const (
	modeTLS = "tls"
	modeGM  = "gm"
)

// tlsFlags are the values of the flags that newApp adds.
var tlsFlags struct {
	mode, encCert, encKey string
}

// lastStatus is the HTTP status of the response that executeForArgs has printed; 0 if there was none.
var lastStatus int

// newApp makes the command line with the flags for TLCP. In mode gm --client-cert and --client-key name the signing pair.
func newApp() *kingpin.Application {
	tlsFlags.mode, tlsFlags.encCert, tlsFlags.encKey = modeTLS, "", ""
	app := kingpin.New("osnadmin", "Orderer Service Node (OSN) administration").Version(metadata.VersionInfo("osnadmin"))
	app.Flag("tls-mode", "Protocol for the OSN's admin endpoint: tls, or gm for TLCP (GB/T 38636) with SM2 certificates").
		Default(modeTLS).EnumVar(&tlsFlags.mode, modeTLS, modeGM)
	app.Flag("client-enc-cert", "Path to file containing the PEM-encoded SM2 encryption certificate (with --tls-mode gm; --client-cert is then the SM2 signing certificate)").
		StringVar(&tlsFlags.encCert)
	app.Flag("client-enc-key", "Path to file containing the PEM-encoded private key of --client-enc-cert").
		StringVar(&tlsFlags.encKey)
	app.Validate(func(app *kingpin.Application) error {
		return checkTLSFlags(app.GetFlag("ca-file").Model().Value.String())
	})
	return app
}

// checkTLSFlags refuses flags that would be ignored: without --ca-file the command speaks plain HTTP.
func checkTLSFlags(caFile string) error {
	if tlsFlags.mode != modeGM {
		if tlsFlags.encCert != "" || tlsFlags.encKey != "" {
			return errors.New("--client-enc-cert and --client-enc-key need --tls-mode gm")
		}
		return nil
	}
	if caFile == "" {
		return errors.New("--tls-mode gm needs --ca-file with the OSN's SM2 TLS CA certificate")
	}
	if tlsFlags.encCert == "" || tlsFlags.encKey == "" {
		return errors.New("--tls-mode gm needs --client-enc-cert and --client-enc-key beside --client-cert and --client-key")
	}
	return nil
}

// loadClientPair reads what the command presents to the OSN, as the mode says.
func loadClientPair(certFile, keyFile string) (tls.Certificate, error) {
	if tlsFlags.mode == modeGM {
		return osnadmin.LoadTLCPPair(certFile, keyFile, tlsFlags.encCert, tlsFlags.encKey)
	}
	return tls.LoadX509KeyPair(certFile, keyFile)
}

// executeChecked makes the command fail when the OSN has refused the request. Upstream exits with 0 as soon as there is an
// answer, whatever it says, and scripts go on as if a channel had been joined.
func executeChecked(args []string) (output string, exit int, err error) {
	lastStatus = 0
	output, exit, err = executeForArgs(args)
	if err == nil && exit == 0 && lastStatus >= http.StatusBadRequest {
		exit = 1
	}
	return output, exit, err
}

// responseOutput keeps the status for executeChecked.
//
//fork:wrap the status decides on the exit code
func responseOutput(showStatus bool, statusCode int, responseBody []byte) (string, error) {
	lastStatus = statusCode
	return upstreamResponseOutput(showStatus, statusCode, responseBody)
}

// errorOutput names the remedy when the OSN does not speak this command's protocol.
//
//fork:wrap explain a refused protocol
func errorOutput(err error) string {
	if tlsFlags.mode == modeTLS && strings.Contains(err.Error(), "protocol version not supported") {
		err = fmt.Errorf("%w (this client's mode is tls; if the orderer's Admin.TLS.Mode is gm, use --tls-mode gm)", err)
	}
	return upstreamErrorOutput(err)
}
