// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMeasureEnrolments prints how many enrolments a second our server makes with SM2 and with ECDSA, and the unmodified one with ECDSA, in
// turns, on this machine. It asserts nothing about the numbers, and runs where CA_MEASURE is set: make measure-ca.
func TestMeasureEnrolments(t *testing.T) {
	if os.Getenv("CA_MEASURE") == "" {
		t.Skip("it measures: make measure-ca")
	}
	ctx := limited(t)
	servers := []struct {
		name     string
		settings settings
	}{
		{"SM2, ours", settings{algo: "sm2"}},
		{"ECDSA, ours", settings{algo: "ecdsa"}},
		{"ECDSA, unmodified", settings{algo: "ecdsa", program: stock(t, "fabric-ca-server")}},
	}
	const rounds, clients, each = 3, 4, 15
	running := make([]*server, len(servers))
	for i, s := range servers {
		running[i] = startServer(ctx, t, t.TempDir(), s.settings)
	}
	for round := range rounds {
		for i, s := range servers {
			requests := make([]string, clients*each)
			for r := range requests {
				if s.settings.algo == "sm2" {
					requests[r] = sm2Request(t, "admin")
					continue
				}
				key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
				require.NoError(t, err)
				requests[r] = request(t, key, "admin")
			}
			var all sync.WaitGroup
			var next atomic.Int64
			errs := make(chan error, len(requests))
			began := time.Now()
			for range clients {
				all.Go(func() {
					for {
						r := int(next.Add(1)) - 1
						if r >= len(requests) {
							return
						}
						_, err := enrollAs(ctx, running[i], "admin", "adminpw", enrolment{Request: requests[r]})
						errs <- err
					}
				})
			}
			all.Wait()
			took := time.Since(began)
			close(errs)
			for err := range errs {
				require.NoError(t, err)
			}
			t.Logf("round %d, %-18s %6.1f enrolments a second", round+1, s.name, float64(len(requests))/took.Seconds())
		}
	}
}
