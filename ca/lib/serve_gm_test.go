// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric-ca/lib/caerrors"
)

// read is what a handler finds in a request's body, over the limits of the listener.
func read(t *testing.T, handler http.Handler, r *http.Request) (length, status int) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	length = w.Body.Len()
	if w.Code == http.StatusOK {
		return length, w.Code
	}
	return 0, w.Code
}

// TestBodies: a body up to the limit is read, a longer one is refused with 413, whether its length was said or not. Of those that are not
// small no more than maxLarge are held at the same time, and others get 503; a place is free again when the request has ended.
func TestBodies(t *testing.T) {
	holding, hold := make(chan struct{}), make(chan struct{})
	handler := http.MaxBytesHandler(bounded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := newServerRequestContext(r, w, nil)
		text, err := ctx.ReadBodyBytes()
		if err != nil {
			w.WriteHeader(caerrors.GetCause(err).GetStatusCode())
			return
		}
		if r.URL.Path == "/hold" {
			holding <- struct{}{}
			<-hold
		}
		_, err = w.Write(text)
		require.NoError(t, err)
	})), maxBody)
	of := func(size int, path string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, path, io.NopCloser(bytes.NewReader(make([]byte, size))))
		r.ContentLength = -1
		return r
	}
	for _, size := range []int{0, 1, smallBody - 1, smallBody, smallBody + 1, maxBody, maxBody + 1} {
		for _, said := range []bool{true, false} {
			r := of(size, "/")
			if said {
				r.ContentLength = int64(size)
			}
			length, status := read(t, handler, r)
			if size > maxBody {
				require.Equal(t, http.StatusRequestEntityTooLarge, status)
				continue
			}
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, size, length)
		}
	}
	done := make(chan struct{}, maxLarge)
	for range maxLarge {
		go func() {
			handler.ServeHTTP(httptest.NewRecorder(), of(smallBody+1, "/hold"))
			done <- struct{}{}
		}()
		select {
		case <-holding:
		case <-time.After(10 * time.Second):
			require.Fail(t, "a place is not given back")
		}
	}
	_, status := read(t, handler, of(smallBody+1, "/"))
	require.Equal(t, http.StatusServiceUnavailable, status)
	_, status = read(t, handler, of(smallBody-1, "/"))
	require.Equal(t, http.StatusOK, status)
	close(hold)
	for range maxLarge {
		<-done
	}
	_, status = read(t, handler, of(smallBody+1, "/"))
	require.Equal(t, http.StatusOK, status)
}

// pipes is a listener whose one connection has no buffers.
type pipes struct {
	conn chan net.Conn
}

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.conn
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { close(p.conn); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestUnreadAnswers: a client that stops reading ends its request after the limit; one that reads slowly, and one that asks again after a
// pause, do not.
func TestUnreadAnswers(t *testing.T) {
	const limit = time.Second
	ended := make(chan error, 1)
	server := &http.Server{Handler: answered(limit, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body) // has "100 Continue" sent first
		for i := 0; i < 8 && err == nil; i++ {
			_, err = w.Write(bytes.Repeat([]byte("x"), 8<<10))
			w.(http.Flusher).Flush()
		}
		ended <- err
	}))}
	listener := pipes{make(chan net.Conn, 1)}
	go server.Serve(listener)
	defer server.Close()
	ask := func(conn net.Conn) {
		_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
		require.NoError(t, err)
		text := make([]byte, 25)
		_, err = io.ReadFull(conn, text)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 100 Continue\r\n\r\n", string(text))
		_, err = io.WriteString(conn, "x")
		require.NoError(t, err)
	}
	client, served := net.Pipe()
	listener.conn <- served
	for range 2 {
		began := time.Now()
		ask(client)
		for range 8 { // with the last part the handler ends
			time.Sleep(limit / 4)
			_, err := io.ReadFull(client, make([]byte, 8<<10))
			require.NoError(t, err)
		}
		require.NoError(t, client.SetReadDeadline(time.Now().Add(2*limit)))
		_, _ = io.Copy(io.Discard, client) // the end of the answer, and a pause longer than the limit
		require.NoError(t, client.SetReadDeadline(time.Time{}))
		require.NoError(t, <-ended)
		require.Greater(t, time.Since(began), 2*limit)
	}
	began := time.Now()
	ask(client)
	select {
	case err := <-ended:
		require.Error(t, err)
		require.Greater(t, time.Since(began), limit/2)
	case <-time.After(10 * time.Second):
		require.Fail(t, "a client that does not read keeps its request")
	}
}
