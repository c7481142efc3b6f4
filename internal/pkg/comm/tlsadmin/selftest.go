// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// selfTestPause is how long the process rests after self-tests, which keep a processor busy for seconds.
const selfTestPause = time.Minute

// selfTests runs the self-tests of this process.
type selfTests struct {
	allowed Operators
	run     func() error
	end     func() // of the process

	running sync.Mutex // held while they run
	mu      sync.Mutex
	last    *tlsstatus.SelfTest // protected by mu
}

// NewSelfTestHandler returns the handler of tlsstatus.SelfTestPath. POST runs the self-tests of the algorithms and of the source of random
// bytes for one of the operators, at most once a minute. If a test fails, the process signs nothing any more. If it is the test
// of an algorithm, the process ends after the answer, because its verdicts on the signatures of others may be wrong.
func NewSelfTestHandler(allowed Operators) http.Handler {
	return &selfTests{allowed: allowed, run: gm.SelfTestAgain, end: func() { os.Exit(1) }}
}

// ServeHTTP answers GET and POST.
func (s *selfTests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		answer(w, http.StatusOK, s.result())
	case http.MethodPost:
		if !admit(w, r, s.allowed) {
			return
		}
		if wait := s.busy(); wait > 0 {
			w.Header().Set("Retry-After", fmt.Sprint(int(wait.Seconds())+1))
			answer(w, http.StatusTooManyRequests, tlsstatus.Failure{Error: "self-tests run at most once a minute"})
			return
		}
		defer s.running.Unlock()
		s.post(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		answer(w, http.StatusMethodNotAllowed, tlsstatus.Failure{Error: fmt.Sprintf("method %s is not allowed: use GET or POST", r.Method)})
	}
}

// busy returns how long to wait, or 0 with the lock held.
func (s *selfTests) busy() time.Duration {
	if !s.running.TryLock() {
		return selfTestPause
	}
	if last := s.result(); last != nil {
		if rest := selfTestPause - time.Since(last.Time); rest > 0 {
			s.running.Unlock()
			return rest
		}
	}
	return 0
}

func (s *selfTests) result() *tlsstatus.SelfTest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *selfTests) post(w http.ResponseWriter, r *http.Request) {
	by := operatorOf(r)
	err := s.run()
	result := &tlsstatus.SelfTest{Time: time.Now()}
	code := http.StatusOK
	if err != nil {
		result.Error, code = err.Error(), http.StatusInternalServerError
		logger.Errorf("Self-tests asked for by %s failed: %s", by, err)
		audit.Record(audit.SelfTestFailed, "operator", by, "reason", err.Error())
	} else {
		logger.Infof("Self-tests asked for by %s passed", by)
		audit.Record(audit.SelfTestPassed, "operator", by)
	}
	s.mu.Lock()
	s.last = result
	s.mu.Unlock()
	answer(w, code, result)
	if errors.Is(err, gm.ErrAlgorithm) {
		_ = http.NewResponseController(w).Flush() // the operator reads the log otherwise
		s.end()
	}
}
