// SPDX-License-Identifier: Apache-2.0

package ldap

import (
	"encoding/asn1"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	ldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
)

// directory answers each search with one user, once as many searches have come as it waits for.
type directory struct {
	net.Listener
	searches, dialled, open atomic.Int32
	waitsFor                int32
	all                     chan struct{} // closed when the searches that it waits for have come
}

func newDirectory(t *testing.T, searches int32) *directory {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := &directory{Listener: listener, waitsFor: searches, all: make(chan struct{})}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			d.dialled.Add(1)
			d.open.Add(1)
			go d.serve(conn)
		}
	}()
	return d
}

func (d *directory) serve(conn net.Conn) {
	defer d.open.Add(-1)
	defer conn.Close()
	request := make([]byte, 4096) // longer than any here
	for {
		n, err := conn.Read(request)
		if err != nil {
			return
		}
		var message struct {
			ID int
			Op asn1.RawValue
		}
		if _, err := asn1.Unmarshal(request[:n], &message); err != nil || message.Op.Tag != ldap.ApplicationSearchRequest {
			return
		}
		if d.searches.Add(1) == d.waitsFor {
			close(d.all)
		}
		<-d.all
		_, _ = conn.Write(append(
			answer(message.ID, ldap.ApplicationSearchResultEntry, octets("uid=zhang,dc=example"), asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true}),
			answer(message.ID, ldap.ApplicationSearchResultDone, asn1.RawValue{Tag: asn1.TagEnum, Bytes: []byte{0}}, octets(""), octets(""))...))
	}
}

func octets(text string) asn1.RawValue {
	return asn1.RawValue{Tag: asn1.TagOctetString, Bytes: []byte(text)}
}

func answer(id, op int, parts ...asn1.RawValue) []byte {
	body := asn1.RawValue{Class: asn1.ClassApplication, Tag: op, IsCompound: true}
	for _, part := range parts {
		der, err := asn1.Marshal(part)
		if err != nil {
			panic(err)
		}
		body.Bytes = append(body.Bytes, der...)
	}
	der, err := asn1.Marshal(struct {
		ID int
		Op asn1.RawValue
	}{id, body})
	if err != nil {
		panic(err)
	}
	return der
}

func clientOf(t *testing.T, d *directory) *Client {
	client, err := NewClient(&Config{URL: "ldap://" + d.Addr().String() + "/dc=example"}, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		if client.AdminConn != nil {
			client.AdminConn.Close()
		}
	})
	return client
}

// TestLoginsAtOnce: of the connections of requests that come at once, one is kept for the next request, and the others are closed.
func TestLoginsAtOnce(t *testing.T) {
	const logins = 8
	d := newDirectory(t, logins)
	client := clientOf(t, d)
	results := make(chan error, logins)
	for range logins {
		go func() {
			_, err := client.GetUser("zhang", nil)
			results <- err
		}()
	}
	for range logins {
		require.NoError(t, <-results)
	}
	require.Eventually(t, func() bool { return d.open.Load() == 1 }, 10*time.Second, time.Millisecond, "connections stay open")
	found, err := client.GetUser("zhang", nil)
	require.NoError(t, err)
	require.Equal(t, "uid=zhang,dc=example", found.GetName())
	require.EqualValues(t, logins, d.dialled.Load(), "a connection is kept")
}

// failing is a connection whose searches end with an error, once they may.
type failing struct{ asked, end chan struct{} }

func (f failing) Search(*ldap.SearchRequest) (*ldap.SearchResult, error) {
	f.asked <- struct{}{}
	<-f.end
	return nil, errors.New("the directory closed the connection")
}

func (f failing) Close() error { return nil }

// TestLateFailure: requests whose kept connection ends ask again, and one that learns of it late does not lose the connection that another
// request has kept meanwhile.
func TestLateFailure(t *testing.T) {
	d := newDirectory(t, 1)
	client := clientOf(t, d)
	ended := failing{asked: make(chan struct{}), end: make(chan struct{})}
	client.AdminConn = ended
	results := make(chan error)
	for range 2 {
		go func() {
			_, err := client.GetUser("zhang", nil)
			results <- err
		}()
		<-ended.asked
	}
	for range 2 { // one after the other
		ended.end <- struct{}{}
		require.NoError(t, <-results)
	}
	require.Eventually(t, func() bool { return d.open.Load() == 1 }, 10*time.Second, time.Millisecond, "a connection stays open that nobody keeps")
	require.NotNil(t, client.AdminConn)
}
