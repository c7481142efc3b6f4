// SPDX-License-Identifier: Apache-2.0

//go:build linux

package gmtls

import (
	"crypto/rand"
	"net"
	"testing"
)

// ownStack13 is ownStack for TLS 1.3.
func ownStack13(b *testing.B, groups []CurveID, resume bool) benchStack {
	client, server := testConfigs13(b)
	client.CurvePreferences, server.CurvePreferences = groups, groups
	client.ChainCache, server.ChainCache = NewChainCache(16), NewChainCache(16)
	if resume {
		client.ClientSessionCache = NewLRUClientSessionCache(4)
		server.ServerSessionCache = NewLRUServerSessionCache(4)
	}
	return benchStack{
		"gmtls",
		func(c net.Conn) net.Conn { return Client(c, client) },
		func(c net.Conn) net.Conn { return Server(c, server) },
	}
}

func BenchmarkRatio13Full(b *testing.B) {
	compareHandshakes(b, 1, ownStack13(b, nil, false), stdStack(b, false))
}

func BenchmarkRatio13Full8(b *testing.B) {
	compareHandshakes(b, 8, ownStack13(b, nil, false), stdStack(b, false))
}

// BenchmarkRatio13Hybrid has crypto/tls with the key exchange that it chooses,
// P-256 or X25519, without ML-KEM.
func BenchmarkRatio13Hybrid(b *testing.B) {
	compareHandshakes(b, 1, ownStack13(b, []CurveID{CurveSM2MLKEM768}, false), stdStack(b, false))
}

func BenchmarkRatio13Resumed(b *testing.B) {
	compareHandshakes(b, 1, ownStack13(b, nil, true), stdStack(b, true))
}

// BenchmarkRatio13Record seals and opens records of 16 KiB without a network and
// compares with TLCP's.
func BenchmarkRatio13Record(b *testing.B) {
	tlcp, _, _ := testKeySchedule(b, suiteByID(ECC_SM4_GCM_SM3))
	own, err := newAEADCipher(suiteByID(TLS_SM4_GCM_SM3), make([]byte, sm4KeyLen), make([]byte, aeadNonceLen))
	if err != nil {
		b.Fatal(err)
	}
	data, record := make([]byte, bulkSize), make([]byte, 0, 2*bulkSize)
	seq := uint64(0)
	turn := func(c recordCipher) (spent spentTime) {
		start := now()
		for range 32 {
			seq++
			body, err := c.seal(record, rand.Reader, seq, recordApplicationData, data)
			if err != nil {
				b.Fatal(err)
			}
			if _, ok := c.open(seq, recordApplicationData, body); !ok {
				b.Fatal("the record does not open")
			}
		}
		spent.addSince(start)
		return spent
	}
	var ours, theirs spentTime
	add := func(sum *spentTime, s spentTime) { sum.clock, sum.cpu = sum.clock+s.clock, sum.cpu+s.cpu }
	b.ReportAllocs()
	for b.Loop() {
		add(&ours, turn(own))
		add(&theirs, turn(tlcp))
	}
	b.ReportMetric(0, "ns/op")
	ours.reportRatio(b, theirs, "TLCP")
}
