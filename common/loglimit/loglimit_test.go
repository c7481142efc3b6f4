// SPDX-License-Identifier: Apache-2.0

package loglimit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLimit: a flood costs a bounded number of lines, and the next line says how many were left out.
func TestLimit(t *testing.T) {
	var l Limit
	now := time.Now()
	flood := func() (written int) {
		for range 10 * Burst {
			if ok, note := l.Allow(now); ok {
				require.Empty(t, note)
				written++
			}
		}
		return written
	}
	require.Equal(t, Burst, flood())
	now = now.Add(time.Second)
	ok, note := l.Allow(now)
	require.True(t, ok)
	require.Equal(t, " (450 similar lines suppressed)", note)
	require.Equal(t, Rate-1, flood())

	now = now.Add(time.Hour)
	ok, note = l.Allow(now)
	require.True(t, ok)
	require.NotEmpty(t, note)
	require.Equal(t, Burst-1, flood(), "no more than at first")
}

// TestPerSecond: a limit with another number takes that many at once, and as many a second.
func TestPerSecond(t *testing.T) {
	l := Limit{PerSecond: 20}
	now := time.Now()
	flood := func() (written int) {
		for range 100 {
			if ok, _ := l.Take(now); ok {
				written++
			}
		}
		return written
	}
	require.Equal(t, 20, flood())
	now = now.Add(time.Second)
	ok, suppressed := l.Take(now)
	require.True(t, ok)
	require.Equal(t, 80, suppressed)
	require.Equal(t, 19, flood())
}
