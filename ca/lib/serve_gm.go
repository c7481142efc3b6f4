// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cloudflare/cfssl/log"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/lib/caerrors"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// Limits on what a client can send or keep open before it is known.
const (
	// maxBody bounds the body of a request in bytes. The largest are certificate requests with many names.
	maxBody = 1 << 20
	// smallBody is the length up to which bodies are read at any time, in bytes. Usual requests have a few kilobytes.
	smallBody = 64 << 10
	// maxLarge bounds how many longer bodies are held at the same time: connections are many, and each could hold maxBody.
	maxLarge = 32
	// maxHeader bounds the header, which holds a token with a certificate.
	maxHeader = 64 << 10
	// headerLimit is for the header of a request, readLimit for the whole, idleLimit for the time between two.
	headerLimit = 10 * time.Second
	readLimit   = 60 * time.Second
	idleLimit   = 2 * time.Minute
	// writeLimit is how long a client may leave a part of an answer unread. Lists hold a connection to the database meanwhile, and
	// SQLite has one.
	writeLimit = 60 * time.Second
)

const tooLong = "the body of a request may have 1 MiB"

var errTooManyLarge = errors.Errorf("%d requests with bodies of more than %d bytes are being handled", maxLarge, smallBody)

// serveHTTP answers requests until the listener is closed. There is no limit for whole answers: lists of certificates are streamed.
func (s *Server) serveHTTP(listener net.Listener) error {
	server := &http.Server{
		Handler:           comm.HTTPHandler(http.MaxBytesHandler(answered(writeLimit, bounded(s.mux)), maxBody)),
		ConnContext:       comm.HTTPConnContext,
		ReadHeaderTimeout: headerLimit, ReadTimeout: readLimit, IdleTimeout: idleLimit, MaxHeaderBytes: maxHeader,
		ErrorLog: stdlog.New(failures{}, "", 0),
	}
	return server.Serve(listener)
}

// bounded refuses bodies whose length is more than maxBody, and those longer than smallBody while there are maxLarge of them.
func bounded(next http.Handler) http.Handler {
	large := make(chan struct{}, maxLarge)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > maxBody {
			http.Error(w, tooLong, http.StatusRequestEntityTooLarge)
			return
		}
		b := &body{ReadCloser: r.Body, large: large}
		defer b.end()
		r.Body = b
		next.ServeHTTP(w, r)
	})
}

// body is that of a request. It takes a place among the large ones before it gives more than smallBody.
type body struct {
	io.ReadCloser
	read  int // bytes
	large chan struct{}
	held  bool // a place in large
}

// Read fails if there is no place.
func (b *body) Read(p []byte) (int, error) {
	if !b.held && b.read >= smallBody {
		select {
		case b.large <- struct{}{}:
			b.held = true
		default:
			return 0, errTooManyLarge
		}
	}
	if !b.held {
		p = p[:min(len(p), smallBody-b.read)]
	}
	n, err := b.ReadCloser.Read(p)
	b.read += n
	return n, err
}

// end gives the place back, when the request has been handled.
func (b *body) end() {
	if b.held {
		<-b.large
	}
}

// ReadBodyBytes reads the body of the request.
//
//fork:wrap fix: a body that is too long, or for which there is no room, is refused with the status that says so, and not with 500
func (ctx *serverRequestContextImpl) ReadBodyBytes() ([]byte, error) {
	read, err := ctx.upstreamReadBodyBytes()
	var long *http.MaxBytesError
	switch {
	case errors.As(ctx.body.err, &long):
		return nil, caerrors.NewHTTPErr(http.StatusRequestEntityTooLarge, caerrors.ErrReadingReqBody, tooLong)
	case errors.Is(ctx.body.err, errTooManyLarge):
		return nil, caerrors.NewHTTPErr(http.StatusServiceUnavailable, caerrors.ErrReadingReqBody, "%s", errTooManyLarge)
	}
	return read, err
}

// answered ends the connection of a client that does not read: each part of an answer must be taken within the limit.
func answered(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&answer{ResponseWriter: w, control: http.NewResponseController(w), limit: limit}, r)
	})
}

type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
}

// Write writes a part of the answer.
func (a *answer) Write(part []byte) (int, error) {
	a.extend()
	return a.ResponseWriter.Write(part)
}

// Flush sends what was written.
func (a *answer) Flush() {
	a.extend()
	a.ResponseWriter.(http.Flusher).Flush()
}

func (a *answer) extend() { _ = a.control.SetWriteDeadline(time.Now().Add(a.limit)) } // recorders of tests have none

// failures logs what net/http says, failed handshakes above all.
type failures struct{}

func (failures) Write(text []byte) (int, error) {
	log.Warning(strings.TrimRight(string(text), "\n"))
	return len(text), nil
}
