// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"context"
	"encoding/json"
	"net/http"
	"path"

	"github.com/hyperledger/fabric/common/audit"
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

// subject is the identity that the request is about: the one that its body names, or that a password was sent for. It may be none.
func (n *noted) subject() string {
	if n.ctx == nil {
		return ""
	}
	var body struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(n.ctx.body.buf, &body) // what is no JSON names nobody
	if body.ID == "" && n.ctx.ui != nil {
		return n.ctx.ui.GetName()
	}
	return body.ID
}

// ServeHTTP records who wanted to change identities, certificates or lists, and whether it was done. Strangers can have requests refused
// at will, and cannot have them done.
//
//fork:wrap gm: requests that change something are security events
func (se *serverEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || path.Base(se.Path) == "cainfo" {
		se.upstreamServeHTTP(w, r)
		return
	}
	n := &noted{ResponseWriter: w}
	se.upstreamServeHTTP(n, r.WithContext(context.WithValue(r.Context(), notedKey{}, n)))
	if n.status < http.StatusBadRequest {
		audit.Record(audit.CARequest, "method", r.Method, "path", r.URL.Path, "id", n.subject(), "caller", n.caller(), "address", r.RemoteAddr, "status", n.status)
	} else {
		audit.Bounded(audit.CARequest, "method", r.Method, "path", r.URL.Path, "id", n.subject(), "caller", n.caller(), "address", r.RemoteAddr, "status", n.status)
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
