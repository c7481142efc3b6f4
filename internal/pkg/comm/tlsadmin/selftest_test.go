// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/stretchr/testify/require"
)

// selfTested are self-tests that end with err, with how many times they ran and ended the process.
type selfTested struct {
	*selfTests
	err        error
	runs, ends int
	events     *floggingtest.Recorder
}

func newSelfTested(t *testing.T) *selfTested {
	logger, recorder := floggingtest.NewTestLogger(t)
	before := audit.Use(audit.NewLog(logger.Infow))
	t.Cleanup(func() { audit.Use(before) })
	allowed, err := ParseOperators([]string{itself})
	require.NoError(t, err)
	s := &selfTested{events: recorder}
	s.selfTests = &selfTests{allowed: allowed, run: func() error { s.runs++; return s.err }, end: func() { s.ends++ }}
	return s
}

func (s *selfTested) ask(t *testing.T, method string, state *tls.ConnectionState) (*httptest.ResponseRecorder, tlsstatus.SelfTest) {
	t.Helper()
	r := httptest.NewRequest(method, tlsstatus.SelfTestPath, nil)
	r.TLS = state
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var result tlsstatus.SelfTest
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &result))
	return w, result
}

func TestSelfTestsPass(t *testing.T) {
	s := newSelfTested(t)
	w, _ := s.ask(t, http.MethodGet, nil)
	require.Equal(t, "null\n", w.Body.String(), "nothing is claimed before the first run")
	w, result := s.ask(t, http.MethodPost, verified)
	require.Equal(t, http.StatusOK, w.Code)
	require.Empty(t, result.Error)
	require.WithinDuration(t, time.Now(), result.Time, time.Minute)
	require.Contains(t, strings.Join(s.events.Entries(), "\n"), "event=self-test-passed operator=")
	_, again := s.ask(t, http.MethodGet, nil)
	require.Equal(t, result, again)
	require.Zero(t, s.ends)
	w, _ = s.ask(t, http.MethodPut, verified)
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, 1, s.runs)
}

// TestSelfTestsAreForOperators: others cannot make the node compute.
func TestSelfTestsAreForOperators(t *testing.T) {
	s := newSelfTested(t)
	for _, allowed := range []Operators{{}, s.allowed} {
		s.allowed = allowed
		for _, state := range []*tls.ConnectionState{nil, {}} {
			w, _ := s.ask(t, http.MethodPost, state)
			require.Equal(t, http.StatusForbidden, w.Code)
		}
	}
	s.allowed = Operators{}
	w, _ := s.ask(t, http.MethodPost, verified)
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Zero(t, s.runs)
	require.Contains(t, strings.Join(s.events.Entries(), "\n"), "event=operator-refused")
}

// TestSelfTestsAreBounded: one at a time, one a minute.
func TestSelfTestsAreBounded(t *testing.T) {
	s := newSelfTested(t)
	var during *httptest.ResponseRecorder
	run := s.run
	s.run = func() error { during, _ = s.ask(t, http.MethodPost, verified); return run() }
	s.ask(t, http.MethodPost, verified)
	require.Equal(t, http.StatusTooManyRequests, during.Code)
	w, _ := s.ask(t, http.MethodPost, verified)
	require.Equal(t, http.StatusTooManyRequests, w.Code)
	require.NotEmpty(t, w.Header().Get("Retry-After"))
	require.Equal(t, 1, s.runs)
	s.last.Time = time.Now().Add(-selfTestPause)
	s.run = run
	w, _ = s.ask(t, http.MethodPost, verified)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, 2, s.runs)
}

// TestSelfTestsFail: the operator and the log of events are told. The process ends if it cannot trust its verdicts on signatures any more.
func TestSelfTestsFail(t *testing.T) {
	for ends, failure := range []error{errors.New("bytes are uneven"), fmt.Errorf("%w: SM3 hash", gm.ErrAlgorithm)} {
		s := newSelfTested(t)
		s.err = failure
		w, result := s.ask(t, http.MethodPost, verified)
		require.Equal(t, http.StatusInternalServerError, w.Code)
		require.Equal(t, failure.Error(), result.Error)
		require.Contains(t, strings.Join(s.events.Entries(), "\n"), "event=self-test-failed operator= reason=\""+failure.Error()+"\"")
		require.Equal(t, ends, s.ends)
		_, result = s.ask(t, http.MethodGet, nil)
		require.Equal(t, failure.Error(), result.Error)
	}
}
