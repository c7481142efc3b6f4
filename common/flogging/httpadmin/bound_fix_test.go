// SPDX-License-Identifier: Apache-2.0

package httpadmin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/flogging"
)

// endless is a JSON value that never ends.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, strings.Repeat("x", len(b)))
	if e.read == 0 {
		n = copy(b, `{"spec":"`)
	}
	if e.read += n; e.read > 4*maxBody {
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

// levels keeps what is set.
type levels struct{ spec string }

func (l *levels) ActivateSpec(spec string) error { l.spec = spec; return nil }
func (l *levels) Spec() string                   { return l.spec }

// TestBodyIsBounded: no more of a body is read than may be, and a long list of loggers fits.
func TestBodyIsBounded(t *testing.T) {
	set := new(levels)
	handler := &SpecHandler{Logging: set, Logger: flogging.MustGetLogger("test")}
	put := func(body io.Reader) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPut, "/logspec", body))
		return answer
	}
	body := new(endless)
	answer := put(body)
	require.Equal(t, http.StatusBadRequest, answer.Code)
	require.Contains(t, answer.Body.String(), "too large")
	require.Less(t, body.read, 2*maxBody)
	require.Empty(t, set.spec)

	var list strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&list, "a.logger.number.%d=debug:", i)
	}
	answer = put(strings.NewReader(`{"spec":"` + list.String() + `info"}`))
	require.Equal(t, http.StatusNoContent, answer.Code)
	require.Equal(t, list.String()+"info", set.spec)
}
