// SPDX-License-Identifier: Apache-2.0

package lib

import (
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cloudflare/cfssl/log"

	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// Limits on what a client can send or keep open before it is known.
const (
	// maxBody bounds the body of a request in bytes. The largest are certificate requests with many names.
	maxBody = 1 << 20
	// maxHeader bounds the header, which holds a token with a certificate.
	maxHeader = 64 << 10
	// headerLimit is for the header of a request, readLimit for the whole, idleLimit for the time between two.
	headerLimit = 10 * time.Second
	readLimit   = 60 * time.Second
	idleLimit   = 2 * time.Minute
)

// serveHTTP answers requests until the listener is closed. There is no limit for answers: lists of certificates are streamed.
func (s *Server) serveHTTP(listener net.Listener) error {
	server := &http.Server{
		Handler:           comm.HTTPHandler(bounded(s.mux)),
		ConnContext:       comm.HTTPConnContext,
		ReadHeaderTimeout: headerLimit, ReadTimeout: readLimit, IdleTimeout: idleLimit, MaxHeaderBytes: maxHeader,
		ErrorLog: stdlog.New(failures{}, "", 0),
	}
	return server.Serve(listener)
}

// bounded refuses bodies that are longer than maxBody.
func bounded(next http.Handler) http.Handler {
	limited := http.MaxBytesHandler(next, maxBody)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > maxBody {
			http.Error(w, "the body of a request may have 1 MiB", http.StatusRequestEntityTooLarge)
			return
		}
		limited.ServeHTTP(w, r)
	})
}

// failures logs what net/http says, failed handshakes above all.
type failures struct{}

func (failures) Write(text []byte) (int, error) {
	log.Warning(strings.TrimRight(string(text), "\n"))
	return len(text), nil
}
