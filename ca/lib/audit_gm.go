// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"runtime/debug"
	"time"

	"github.com/cloudflare/cfssl/log"
	gmux "github.com/gorilla/mux"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/loglimit"
)

// noted is what a security event says of a request, beyond what the request says itself.
type noted struct {
	http.ResponseWriter
	ctx    *serverRequestContextImpl // nil: the request was refused before anybody looked at it
	status int
}

// notedKey is where the context of a request has its noted.
type notedKey struct{}

// WriteHeader keeps the status.
func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Flush is asked for at the end of each answer.
func (n *noted) Flush() { n.ResponseWriter.(http.Flusher).Flush() }

// caller is who has sent the request; empty: nobody was authenticated.
func (n *noted) caller() string {
	if n.ctx == nil || n.ctx.caller == nil {
		return ""
	}
	return n.ctx.caller.GetName()
}

// subject is the identity that the request is about: the one that a password was sent for, that its URL names, or else its body. It may be
// none. Who enrolls gets a certificate for itself, and what the URL names is changed, whatever the body names.
func (n *noted) subject() string {
	switch {
	case n.ctx == nil:
		return ""
	case n.ctx.ui != nil:
		return n.ctx.ui.GetName()
	case n.ctx.endpoint.Path == "enroll", n.ctx.endpoint.Path == "reenroll":
		return ""
	}
	name, named := gmux.Vars(n.ctx.req)["id"]
	if !named {
		var body struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(n.ctx.body.buf, &body) // what is no JSON names nobody
		name = body.ID
	}
	return name[:min(len(name), maxSubject)]
}

// maxSubject bounds in bytes the name in an event, as a body may have 1 MiB. The database has 255 for an identity.
const maxSubject = 255

// changes reports whether a request would change something.
func (se *serverEndpoint) changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && path.Base(se.Path) != "cainfo"
}

// ServeHTTP records who wanted to change identities, certificates or lists, and whether it was done. Strangers can have requests refused
// at will, and cannot have them done.
//
//fork:wrap gm: requests that change something are security events; one whose handling panics is answered, and is an event too
func (se *serverEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := &noted{ResponseWriter: w}
	defer func() {
		cause := recover()
		unanswered := cause != nil && n.status == 0
		if cause != nil {
			logPanic(cause)
			n.status = http.StatusInternalServerError
		}
		if se.changes(r) {
			n.record(r)
		}
		if unanswered {
			n.apologize()
		} else if cause != nil {
			panic(http.ErrAbortHandler) // the client sees that the rest of the answer is missing
		}
	}()
	se.upstreamServeHTTP(n, r.WithContext(context.WithValue(r.Context(), notedKey{}, n)))
}

func (n *noted) record(r *http.Request) {
	if n.status < http.StatusBadRequest {
		audit.Record(audit.CARequest, "method", r.Method, "path", r.URL.Path, "id", n.subject(), "caller", n.caller(), "address", r.RemoteAddr, "status", n.status)
	} else {
		audit.Bounded(audit.CARequest, "method", r.Method, "path", r.URL.Path, "id", n.subject(), "caller", n.caller(), "address", r.RemoteAddr, "status", n.status)
	}
}

// apologize answers a request whose handling has panicked, in the form of upstream's answers.
func (n *noted) apologize() {
	n.Header().Set("Content-Type", "application/json")
	n.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(n, `{"result":"","errors":[{"code":0,"message":"the CA could not handle the request; its log says why"}],"messages":[],"success":false}`)
}

// logRequest writes the line about a request that was answered, in the form of upstream. It repeats what the request names, which may
// have 1 MiB.
func logRequest(r *http.Request, status, code int, message string) {
	log.Info(loglimit.Shorten(fmt.Sprintf(`%s %s %s %d %d "%s"`, r.RemoteAddr, r.Method, r.URL, status, code, message)))
}

// panics bounds the lines about requests that panic: strangers may find one.
var panics loglimit.Limit

func logPanic(cause any) {
	if ok, note := panics.Allow(time.Now()); ok {
		log.Errorf("A request was not handled: panic: %v%s\n%s", cause, note, debug.Stack())
	}
}

// newServerRequestContext lets ServeHTTP know who has sent the request.
//
//fork:wrap gm: requests that change something are security events
func newServerRequestContext(r *http.Request, w http.ResponseWriter, se *serverEndpoint) *serverRequestContextImpl {
	ctx := upstreamNewServerRequestContext(r, w, se)
	if n, ok := r.Context().Value(notedKey{}).(*noted); ok {
		n.ctx = ctx
	}
	return ctx
}
