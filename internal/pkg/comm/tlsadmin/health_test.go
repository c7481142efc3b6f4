// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric-lib-go/healthz"
	"github.com/stretchr/testify/require"
)

// check is a component whose checks last until they are let go.
type check struct {
	begun, ended atomic.Int64
	letGo        chan struct{}
	failure      error
}

func (c *check) HealthCheck(context.Context) error {
	c.begun.Add(1)
	defer c.ended.Add(1)
	<-c.letGo
	return c.failure
}

func newHealth(t *testing.T, c *check) *health {
	t.Helper()
	checks := healthz.NewHealthHandler()
	require.NoError(t, checks.RegisterChecker("component", c))
	return NewHealthHandler(checks).(*health)
}

func ask(ctx context.Context, h http.Handler, method string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, "/healthz", nil))
	return w
}

// TestHealthOfClientsThatLeave: a thousand clients that do not wait for the answer cost one check, and nothing stays of them.
func TestHealthOfClientsThatLeave(t *testing.T) {
	const others = 10 // goroutines that come and go in any process
	c := &check{letGo: make(chan struct{})}
	h := newHealth(t, c)
	before := runtime.NumGoroutine()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 1000 {
		ask(gone, h, http.MethodGet)
	}
	require.Less(t, runtime.NumGoroutine(), before+others)
	close(c.letGo)
	require.Eventually(t, func() bool { return c.ended.Load() == 1 && runtime.NumGoroutine() < before+others }, 10*time.Second, time.Millisecond)
	require.EqualValues(t, 1, c.begun.Load())
}

// TestHealthIsShared: who comes while checks run gets their result, and who comes later that of new ones.
func TestHealthIsShared(t *testing.T) {
	c := &check{letGo: make(chan struct{}), failure: errors.New("away")}
	h := newHealth(t, c)
	var wg sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, 20)
	for i := range answers {
		wg.Go(func() { answers[i] = ask(t.Context(), h, http.MethodGet) })
	}
	require.Eventually(t, func() bool { return c.begun.Load() == 1 }, 10*time.Second, time.Millisecond)
	close(c.letGo)
	wg.Wait()
	for _, w := range answers {
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		var status healthz.HealthStatus
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &status))
		require.Equal(t, healthz.StatusUnavailable, status.Status)
		require.Equal(t, []healthz.FailedCheck{{Component: "component", Reason: "away"}}, status.FailedChecks)
	}
	c.failure = nil
	begun := c.begun.Load()
	w := ask(t.Context(), h, http.MethodGet)
	require.Equal(t, http.StatusOK, w.Code)
	require.True(t, strings.HasPrefix(w.Body.String(), `{"status":"OK","time":"`), w.Body.String())
	require.Equal(t, begun+1, c.begun.Load())
}

func TestHealthRefusals(t *testing.T) {
	c := &check{letGo: make(chan struct{})}
	defer close(c.letGo)
	h := newHealth(t, c)
	require.Equal(t, http.StatusMethodNotAllowed, ask(t.Context(), h, http.MethodPost).Code)
	require.Zero(t, c.begun.Load())
	h.limit = 20 * time.Millisecond
	require.Equal(t, http.StatusRequestTimeout, ask(t.Context(), h, http.MethodGet).Code, "a check that does not end")
}
