// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
)

// maxHTTPHeader bounds the header of a request to an operations or admin server
// in bytes, as the server's options do for gRPC. By default net/http keeps 1 MiB
// for each connection, which may be a stranger's.
const maxHTTPHeader = 16 << 10

// httpListener runs handshakes before it hands connections to net/http, each on
// a separate goroutine.
type httpListener struct {
	net.Listener
	endpoint *endpoint
	ready    chan net.Conn
	failed   chan error // of the inner listener
	closed   chan struct{}
	once     sync.Once
}

// NewHTTPListener returns a listener for net/http that speaks TLS, TLCP or both
// over inner, as the options' mode says. With RequireClientCert a client must
// present a certificate; without it one that is presented is verified, as
// in upstream's operations server. Connections are *tls.Conn or *gmtls.Conn
// with the handshake done. Use HTTPConnContext and HTTPHandler with it.
func NewHTTPListener(inner net.Listener, so SecureOptions) (net.Listener, error) {
	return newHTTPListener(inner, so, tls.VerifyClientCertIfGiven)
}

// NewAnonymousHTTPListener is NewHTTPListener for clients that prove in their
// requests who they are: without RequireClientCert they are not asked for a
// certificate.
func NewAnonymousHTTPListener(inner net.Listener, so SecureOptions) (net.Listener, error) {
	return newHTTPListener(inner, so, tls.NoClientCert)
}

func newHTTPListener(inner net.Listener, so SecureOptions, optional tls.ClientAuthType) (net.Listener, error) {
	e, err := newEndpoint(inner.Addr(), so, optional, nil)
	if err != nil {
		return nil, err
	}
	e.logger = tlsLogger
	l := &httpListener{
		Listener: inner,
		endpoint: e,
		ready:    make(chan net.Conn),
		failed:   make(chan error),
		closed:   make(chan struct{}),
	}
	go l.accept()
	return l, nil
}

func (l *httpListener) accept() {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			select {
			case l.failed <- err:
			case <-l.closed:
				return
			}
			var passing interface{ Temporary() bool }
			if errors.As(err, &passing) && passing.Temporary() {
				continue // net/http waits before it accepts again
			}
			return
		}
		go l.serve(conn)
	}
}

func (l *httpListener) serve(raw net.Conn) {
	start := time.Now()
	e := l.endpoint
	hooked := &hookedConn{Conn: raw}
	s, st, err := e.handshake(hooked)
	if err == nil {
		hooked.entry = s.tracked(st.material.hash(s.protocol), e.permits(s.protocol))
		// HTTP/1 has no way to tell a client that it should not send its next
		// request here; it closes when the grace is over.
		hooked.entry.finish, hooked.entry.close = func() {}, s.conn.Close
		err = e.track(hooked.entry)
	}
	if err != nil {
		answerPlainHTTP(hooked, err)
		e.logFailure(raw, time.Since(start), err)
		raw.Close()
		return
	}
	select {
	case l.ready <- s.conn:
	case <-l.closed:
		s.conn.Close()
	}
}

// answerPlainHTTP tells a client that spoke HTTP without TLS so, as net/http
// does.
func answerPlainHTTP(conn net.Conn, err error) {
	var std tls.RecordHeaderError
	var gm gmtls.RecordHeaderError
	var header [5]byte
	switch {
	case errors.As(err, &std):
		header = std.RecordHeader
	case errors.As(err, &gm):
		header = gm.RecordHeader
	}
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
}

// Accept returns the next connection whose handshake is done.
func (l *httpListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close closes the listener.
func (l *httpListener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.closed)
		l.endpoint.retire()
		err = l.Listener.Close()
	})
	return err
}

// hookedConn lies under the TLS layer, so that net/http sees a *tls.Conn.
type hookedConn struct {
	net.Conn
	entry *tracked // nil until the handshake is done
}

func (c *hookedConn) Close() error {
	if c.entry != nil {
		c.entry.remove()
	}
	return c.Conn.Close()
}

// CloseWrite shuts the writing side down if the connection underneath can.
func (c *hookedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// PrepareHTTP prepares an operations or admin server for a listener of
// NewHTTPListener, before it serves.
func PrepareHTTP(server *http.Server, handler http.Handler) {
	server.Handler, server.ConnContext = HTTPHandler(handler), HTTPConnContext
	server.MaxHeaderBytes = maxHTTPHeader
}

type connectionStateKey struct{}

// HTTPConnContext is the ConnContext of an http.Server on a listener of
// NewHTTPListener. It keeps the state of TLCP connections for HTTPHandler.
func HTTPConnContext(ctx context.Context, conn net.Conn) context.Context {
	gm, ok := conn.(*gmtls.Conn)
	if !ok {
		return ctx
	}
	state := gmcredentials.TLSState(gm.ConnectionState())
	return context.WithValue(ctx, connectionStateKey{}, &state)
}

// HTTPHandler sets Request.TLS for requests over TLCP, which net/http sets for
// TLS only: handlers find the peer's certificates and the verified chains in it
// either way.
func HTTPHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state, ok := r.Context().Value(connectionStateKey{}).(*tls.ConnectionState); ok && r.TLS == nil {
			r.TLS = state
		}
		next.ServeHTTP(w, r)
	})
}

// httpProtocols is the application protocol of HTTP clients.
var httpProtocols = []string{"http/1.1"}

// dialTLS connects to the address with the protocol of the present client mode
// and completes the handshake. The context bounds both.
func dialTLS(ctx context.Context, d dialer, network, address string) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	group, _ := d.bind()
	s, _, err := clientHandshake(ctx, d, group, "", address, raw)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return s.conn, nil
}

// HTTPTransport returns a transport for HTTPS requests over the protocol of the
// client mode.
func (so SecureOptions) HTTPTransport() (*http.Transport, error) {
	d := newOptionsDialer(so, httpProtocols)
	if _, err := d.current(); err != nil {
		return nil, err
	}
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialTLS(ctx, d, network, address)
		},
	}, nil
}
