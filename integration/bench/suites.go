// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// primitives compares the engine's algorithms with the standard library's.
var primitives = suite{
	name: "primitives", title: "Algorithms",
	text: "One core, the national algorithms as nodes use them, compared with Go's standard library: µs for signatures, MB/s for the rest, the fastest of batches that take turns. A ratio above 1 " +
		"means that the national algorithm is faster. Messages are 32 bytes with their hash for signatures, and 16 KiB for the others.",
	module: ".", pkg: "integration/bench", pattern: "^BenchmarkPrimitives$",
	tables: func(s *samples) []Table {
		of := func(name, bench, unit string) pair {
			return pair{name, sample{"Primitives/" + bench, "national-" + unit}, sample{"Primitives/" + bench, "standard-" + unit}}
		}
		return []Table{
			s.paired("Signatures, µs", "operation", "SM2", "ECDSA P-256", of("sign", "sign", "ns"), of("verify", "verify", "ns")),
			s.paired("Hashes and ciphers, MB/s", "operation", "national", "standard",
				of("SM3, SHA-256", "hash", "MB/s"), of("GCM seal", "seal", "MB/s"), of("GCM open", "open", "MB/s"),
				of("CBC encrypt", "encrypt", "MB/s"), of("CBC decrypt", "decrypt", "MB/s")),
		}
	},
}

// provider is what nodes sign and verify with.
var provider = suite{
	name: "provider", title: "Provider",
	text: "The software provider of nodes, hashing included, in µs; the fastest of batches that take turns. 200 bytes " +
		"are a block header, 4 KiB an endorsement.",
	module: tree, pkg: "bccsp/sw", pattern: "^BenchmarkProvider$",
	tables: func(s *samples) []Table {
		var pairs []pair
		for _, operation := range []string{"Sign", "Verify"} {
			for _, size := range []int{200, 4096} {
				name, bench := fmt.Sprintf("%s %d bytes", operation, size), fmt.Sprintf("Provider/%s/%d", operation, size)
				pairs = append(pairs, pair{name, sample{bench, "provider-ns"}, sample{bench, "ECDSA-ns"}})
			}
		}
		return []Table{s.paired("Provider, SM2 and ECDSA, µs", "operation", "SM2", "ECDSA P-256", pairs...)}
	},
}

// tlcp compares the protocol with crypto/tls.
var tlcp = suite{
	name: "tlcp", title: "TLCP",
	text: "`common/crypto/gmtls` compared with `crypto/tls` (TLS 1.3, P-256, AES-128-GCM), mutually authenticated over loopback, in turns. Ratios of rates, above " +
		"1 being faster: by the clock, by the processor time of both ends, and by that without what the bare TCP connection takes. " +
		"Data is compared with the engine doing the same work and then a bare TCP write.",
	module: ".", pkg: "common/crypto/gmtls", pattern: "^BenchmarkRatio",
	tables: func(s *samples) []Table {
		handshakes := Table{
			Title: "Handshakes compared with crypto/tls", Columns: []string{"handshake", "TLCP, 1/s", "by the clock", "without TCP", "by processor time"},
			Ranged: []string{"by processor time"},
		}
		for _, row := range [][2]string{
			{"Full", "ECC"}, {"Full8", "ECC, 8 clients"}, {"Cold", "ECC, first meeting"}, {"Cold8", "first meeting, 8"},
			{"ECDHE", "ECDHE"}, {"Resumed", "resumed"},
		} {
			bench := "Ratio" + row[0]
			handshakes.Rows = append(handshakes.Rows, Row{Name: row[1], Cells: []Cell{
				cell(s.valuesOf(bench, "gmtls/s")...), cell(s.valuesOf(bench, "x-crypto/tls")...),
				cell(s.valuesOf(bench, "net-cpu-x-crypto/tls")...), cell(s.valuesOf(bench, "cpu-x-crypto/tls")...),
			}})
		}
		data := Table{Title: "Data", Columns: []string{"what, compared with what", "by the clock", "by processor time"}, Ranged: []string{"by processor time"}}
		for _, row := range [][3]string{
			{"RatioBulkGCM", "engine+tcp", "GCM write, engine+TCP"}, {"RatioBulkCBC", "engine+tcp", "CBC write, engine+TCP"},
			{"RatioRecord/ECC_SM4_GCM_SM3", "engine", "GCM record, engine"}, {"RatioRecord/ECC_SM4_CBC_SM3", "engine", "CBC record, engine"},
			{"RatioPingPong", "crypto/tls", "1 KiB echo, crypto/tls"},
		} {
			data.Rows = append(data.Rows, Row{Name: row[2], Cells: []Cell{
				cell(s.valuesOf(row[0], "x-"+row[1])...), cell(s.valuesOf(row[0], "cpu-x-"+row[1])...),
			}})
		}
		return []Table{handshakes, data}
	},
}

// grpcOver is gRPC as nodes speak it.
var grpcOver = suite{
	name: "comm", title: "gRPC over TLCP and TLS",
	text: "`internal/pkg/comm` as nodes use it, with client certificates, over loopback, both ends in one process: µs for each call, " +
		"and MB/s for a stream of blobs of 64 KiB. TLS is TLS 1.3 with P-256 and AES-GCM, which the processor has instructions for.",
	module: tree, pkg: "internal/pkg/comm", pattern: "^Benchmark(Connect|Unary|UnaryParallel|Stream)$",
	tables: func(s *samples) []Table {
		of := func(name, bench, unit string) pair {
			return pair{name, sample{bench + "/gm", unit}, sample{bench + "/tls", unit}}
		}
		return []Table{
			s.paired("Calls, µs", "what", "TLCP", "TLS",
				of("connect, 1 call", "Connect", "ns/op"), of("unary 1 KiB", "Unary/1024", "ns/op"),
				of("unary 64 KiB", "Unary/65536", "ns/op"), of("1 KiB in parallel", "UnaryParallel", "ns/op")),
			s.paired("Streams, MB/s", "what", "TLCP", "TLS", of("64 KiB blobs", "Stream", "MB/s")),
		}
	},
}
