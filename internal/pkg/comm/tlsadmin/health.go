// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/hyperledger/fabric-lib-go/healthz"
)

// healthLimit is how long a request waits for the checks, as in upstream's handler.
const healthLimit = 30 * time.Second

// health answers /healthz, which needs no certificate. Requests that come while the checks run wait for their result; upstream's handler
// runs all checks for each of them, and keeps a goroutine for ever for each whose client leaves early.
type health struct {
	checks *healthz.HealthHandler
	limit  time.Duration

	mu      sync.Mutex
	running *healthRun // protected by mu; nil if no check runs
}

// healthRun is one run of all checks.
type healthRun struct {
	done   chan struct{} // closed when status is there
	status healthz.HealthStatus
}

// NewHealthHandler answers requests for /healthz by the checks that are registered at checks, as its own handler does.
func NewHealthHandler(checks *healthz.HealthHandler) http.Handler {
	return &health{checks: checks, limit: healthLimit}
}

// ServeHTTP answers 200 if all checks pass, 503 with the failures, or 408 if the checks take too long.
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.limit)
	defer cancel()
	run := h.join()
	select {
	case <-run.done:
		run.answer(w)
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	}
}

// join returns the run that is under way, or begins one. A check that does not end keeps others from beginning.
func (h *health) join() *healthRun {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == nil {
		h.running = &healthRun{done: make(chan struct{})}
		go h.run(h.running)
	}
	return h.running
}

// run makes the checks for all who wait: they do not end with one of them.
func (h *health) run(r *healthRun) {
	ctx, cancel := context.WithTimeout(context.Background(), h.limit)
	defer cancel()
	failed := h.checks.RunChecks(ctx)
	r.status = healthz.HealthStatus{Status: healthz.StatusOK, Time: time.Now(), FailedChecks: failed}
	if len(failed) > 0 {
		r.status.Status = healthz.StatusUnavailable
	}
	h.mu.Lock()
	h.running = nil
	h.mu.Unlock()
	close(r.done)
}

func (r *healthRun) answer(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	body, err := json.Marshal(r.status)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
	case len(r.status.FailedChecks) > 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body) // the client may have gone
}
