// SPDX-License-Identifier: Apache-2.0

// Package tlsadmin lets an operator see and change the protection of a node's connections while the node runs. [NewHandler] serves the
// page /tls on the operations server, and [ReloadOnHangup] reloads certificates at SIGHUP. Package tlsstatus defines the JSON.
package tlsadmin

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// maxBody bounds a request's body in bytes.
const maxBody = 4 << 10

var logger = flogging.MustGetLogger("comm.tlsadmin")

// refusedLimit bounds the lines of refused requests, which anybody who reaches the server can send.
var refusedLimit loglimit.Limit

func modes(c tlsstatus.Change) bool     { return c.ServerMode != "" || c.ClientMode != "" }
func protocols(c tlsstatus.Change) bool { return len(c.GMProtocols) > 0 || c.GMClientProtocol != "" }

// put switches modes or GM protocols. Both at once could be done by halves.
func put(c tlsstatus.Change) error {
	switch {
	case modes(c) && protocols(c):
		return errors.New("switch modes and GM protocols one after the other")
	case protocols(c):
		return comm.SetGMProtocols(c.Role, c.GMProtocols, c.GMClientProtocol)
	}
	return comm.SetMode(c.Role, c.ServerMode, c.ClientMode)
}

// reload loads files again.
func reload(c tlsstatus.Change) error {
	if modes(c) || protocols(c) {
		return errors.New("POST reloads files; use PUT to switch a mode")
	}
	return comm.Reload(c.Role)
}

// NewHandler returns the handler of tlsstatus.Path on the listener of the role own. GET answers with the state of every
// role. PUT switches modes: {"role", "serverMode", "clientMode"}, or what the GM
// modes mean: {"role", "gmProtocols", "gmClientProtocol"}. POST loads
// the files again: {"role"} or no body. Both answer with the state after the
// change, or with an error and nothing changed. They need a verified
// client certificate of one of the operators.
func NewHandler(own string, allowed Operators) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			answer(w, http.StatusOK, comm.Status())
		case http.MethodPut:
			apply(w, r, allowed, func(c tlsstatus.Change) error {
				if err := allowed.checkSwitch(own, c, clientOf(r)); err != nil {
					return err
				}
				return put(c)
			})
		case http.MethodPost:
			apply(w, r, allowed, reload)
		default:
			w.Header().Set("Allow", "GET, PUT, POST")
			answer(w, http.StatusMethodNotAllowed, tlsstatus.Failure{Error: fmt.Sprintf("method %s is not allowed: use GET, PUT or POST", r.Method)})
		}
	})
}

func apply(w http.ResponseWriter, r *http.Request, allowed Operators, do func(tlsstatus.Change) error) {
	if !admit(w, r, allowed) {
		return
	}
	var c tlsstatus.Change
	if err := decode(w, r, &c); err != nil {
		answer(w, http.StatusBadRequest, tlsstatus.Failure{Error: fmt.Sprintf("request body: %s", err)})
		return
	}
	by := operatorOf(r)
	if err := do(c); err != nil {
		logger.Errorf("%s %s for role %q by %s failed, nothing has changed: %s", r.Method, r.URL.Path, c.Role, by, err)
		audit.Record(audit.ChangeFailed, "method", r.Method, "role", c.Role, "operator", by, "reason", err.Error())
		answer(w, http.StatusConflict, tlsstatus.Failure{Error: err.Error()})
		return
	}
	logger.Infof("%s %s for role %q, server mode %q, client mode %q, GM protocols %q, dialing %q by %s done",
		r.Method, r.URL.Path, c.Role, c.ServerMode, c.ClientMode, c.GMProtocols, c.GMClientProtocol, by)
	audit.Record(audit.ChangeDone, "method", r.Method, "role", c.Role, "server-mode", c.ServerMode, "client-mode", c.ClientMode,
		"gm-protocols", strings.Join(c.GMProtocols, " "), "gm-client-protocol", c.GMClientProtocol, "operator", by)
	answer(w, http.StatusOK, comm.Status())
}

// admit refuses a request that is not an operator's.
func admit(w http.ResponseWriter, r *http.Request, allowed Operators) bool {
	err := allowed.check(r.TLS)
	if err == nil {
		// A browser shows an operator's certificate for whatever page asks it to post here.
		err = new(http.CrossOriginProtection).Check(r)
	}
	if err == nil {
		return true
	}
	if ok, note := refusedLimit.Allow(time.Now()); ok {
		logger.Warnf("%s %s from %s refused: %s%s", r.Method, r.URL.Path, r.RemoteAddr, err, note)
	}
	audit.Bounded(audit.OperatorRefused, "method", r.Method, "address", r.RemoteAddr, "reason", err.Error())
	answer(w, http.StatusForbidden, tlsstatus.Failure{Error: err.Error()})
	return false
}

// clientOf is the certificate of the client of an admitted request.
func clientOf(r *http.Request) *x509.Certificate { return r.TLS.VerifiedChains[0][0] }

// operatorOf names the client of an admitted request.
func operatorOf(r *http.Request) string { return clientOf(r).Subject.String() }

func decode(w http.ResponseWriter, r *http.Request, c *tlsstatus.Change) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) { // More would take a bracket for the end
		return errors.New("there is something after the JSON value")
	}
	return nil
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		logger.Debugf("Could not write the answer: %s", err)
	}
}
