// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// FuzzSessionCache compares the cache with a list that is searched from its
// front. Each byte is an operation: its low bits a key, its high bits what to do.
func FuzzSessionCache(f *testing.F) {
	f.Add([]byte{0x00, 0x01, 0x02, 0x40, 0x03, 0x80}, byte(2))
	f.Add([]byte{0x00, 0x00, 0x40, 0x80, 0x40}, byte(1))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 0x40, 0x41, 0x42, 0x43}, byte(5))
	type entry struct {
		key   string
		value *ServerSessionState
	}
	f.Fuzz(func(t *testing.T, ops []byte, capacity byte) {
		size := int(capacity)%8 + 1
		cache := NewLRUServerSessionCache(size)
		var model []entry // most recent first
		for i, op := range ops {
			key := strconv.Itoa(int(op & 0x3f))
			at := slices.IndexFunc(model, func(e entry) bool { return e.key == key })
			e := entry{key: key}
			if at >= 0 {
				e = model[at]
				model = slices.Delete(model, at, at+1)
			}
			switch op >> 6 {
			case 0, 3:
				e.value = &ServerSessionState{&session{id: []byte(key)}}
				cache.Put(key, e.value)
				model = slices.Insert(model, 0, e)
				model = model[:min(len(model), size)]
			case 1:
				got, ok := cache.Get(key)
				if ok != (at >= 0) || got != e.value {
					t.Fatalf("operation %d: got %v, %v; want %v, %v", i, got, ok, e.value, at >= 0)
				}
				if ok {
					model = slices.Insert(model, 0, e)
				}
			case 2:
				cache.Put(key, nil)
			}
		}
		if n := cache.(lruSessions[ServerSessionState]).Len(); n != len(model) {
			t.Fatalf("the cache holds %d, want %d", n, len(model))
		}
	})
}

// FuzzResumable builds a session and a configuration from numbers: none is
// resumed outside its lifetime, under another name, policy, suite or pool, or
// with certificates that have expired.
func FuzzResumable(f *testing.F) {
	ends := newFuzzEnds(f)
	certs, err := newConn(nil, ends.config(true), true).identify(ends.server.Certificate,
		&trust{roots: ends.roots, usage: smx509.ExtKeyUsageServerAuth})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(int64(0), int64(0), byte(0), byte(0), byte(0), "a", "a", false, false)
	f.Add(int64(3600), int64(0), byte(3), byte(3), byte(4), "a", "a", true, true)
	f.Add(int64(3601), int64(0), byte(0), byte(0), byte(0), "a", "a", true, false)
	f.Add(int64(-1), int64(60), byte(1), byte(1), byte(2), "", "", false, true)
	f.Add(int64(90000), int64(1e9), byte(4), byte(4), byte(0), "a", "b", true, true)
	f.Add(int64(1e9), int64(1e10), byte(4), byte(4), byte(0), "a", "a", true, true)
	f.Add(int64(37), int64(106), byte(1), byte(1), byte(2), "", "a", false, true)
	f.Fuzz(func(t *testing.T, age, lifetime int64, auth, sessionAuth, suite byte, name, sessionName string, verified, samePool bool) {
		const most = int64(1e9) // a few decades
		age, lifetime = age%(2*most), lifetime%most
		roots := ends.roots
		if !samePool {
			roots = smx509.NewCertPool()
		}
		s := &session{
			suite: cipherSuites[int(suite)%4].id, created: transcriptTime, serverName: sessionName,
			clientAuth: ClientAuthType(sessionAuth % 5), verified: verified, roots: ends.roots, peer: certs,
		}
		config := &Config{
			Time: func() time.Time { return transcriptTime.Add(time.Duration(age) * time.Second) }, SessionLifetime: time.Duration(lifetime) * time.Second,
			ClientCAs: roots, RootCAs: roots, ClientAuth: ClientAuthType(auth % 5), ServerName: name, InsecureSkipVerify: !verified,
		}
		if suite&0x80 != 0 {
			config.CipherSuites = []uint16{ECC_SM4_GCM_SM3}
		}
		limit := int64(3600)
		if lifetime > 0 {
			limit = min(lifetime, 24*3600)
		}
		fits := age >= 0 && age <= limit && (!verified || samePool) && (suite&0x80 == 0 || s.suite == ECC_SM4_GCM_SM3)
		// To a server, a client that names nobody has no other name (RFC 6066, section 3).
		if got := s.resumableByServer(config, name); got != (fits && (name == "" || name == sessionName) && auth%5 == sessionAuth%5) {
			t.Fatalf("resumed by the server: %v", got)
		}
		if got := s.resumableByClient(config); got != (fits && name == sessionName) {
			t.Fatalf("resumed by the client: %v", got)
		}
	})
}
