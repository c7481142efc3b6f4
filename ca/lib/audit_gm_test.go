// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gmux "github.com/gorilla/mux"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric-ca/lib/caerrors"
	"github.com/hyperledger/fabric/common/audit"
)

// TestRequestsAreRecorded: what changes something is recorded with its outcome, and what asks for information is not. Requests that are
// refused are bounded; those that are done are not.
func TestRequestsAreRecorded(t *testing.T) {
	var lines [][]any
	defer audit.Use(audit.Use(audit.NewLog(func(_ string, fields ...any) { lines = append(lines, fields) })))
	var answer error
	ask := func(method, path string) {
		se := &serverEndpoint{Path: path, Methods: []string{http.MethodGet, http.MethodPost}, successRC: 201, Handler: func(ctx *serverRequestContextImpl) (any, error) {
			_, err := ctx.ReadBodyBytes()
			require.NoError(t, err)
			return nil, answer
		}}
		se.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/api/v1/"+path, strings.NewReader(`{"id":"ida"}`)))
	}
	ask(http.MethodGet, "identities")
	ask(http.MethodPost, "cainfo")
	require.Empty(t, lines)
	ask(http.MethodPost, "register")
	require.Equal(t, [][]any{{"n", uint64(1), "event", "ca-request", "method", "POST", "path", "/api/v1/register", "id", "ida", "caller", "", "address", "192.0.2.1:1234", "status", 201}}, lines)
	answer = caerrors.NewHTTPErr(403, caerrors.ErrAuthorizationFailure, "no")
	for range 100 {
		ask(http.MethodPost, "revoke")
	}
	require.Len(t, lines, 1+60)
	require.Equal(t, []any{"path", "/api/v1/revoke", "id", "ida", "caller", "", "address", "192.0.2.1:1234", "status", 403}, lines[60][6:])
	answer = nil
	ask(http.MethodPost, "gencrl")
	require.Len(t, lines, 1+60+1)
	ask(http.MethodDelete, "register")
	require.Len(t, lines, 1+60+1, "a method that is not allowed is bounded too")
}

// TestSubjectOfTheURL: the event about a change of an identity has the identity that the URL names, which is changed, whatever the body says.
func TestSubjectOfTheURL(t *testing.T) {
	var lines [][]any
	defer audit.Use(audit.Use(audit.NewLog(func(_ string, fields ...any) { lines = append(lines, fields) })))
	se := &serverEndpoint{Path: "identities/{id}", Methods: []string{http.MethodPut, http.MethodDelete}, successRC: 200, Handler: func(ctx *serverRequestContextImpl) (any, error) {
		_, err := ctx.ReadBodyBytes()
		return nil, err
	}}
	router := gmux.NewRouter()
	router.Handle("/api/v1/identities/{id}", se)
	for _, request := range []*http.Request{
		httptest.NewRequest(http.MethodPut, "/api/v1/identities/changed", strings.NewReader(`{"id":"innocent"}`)),
		httptest.NewRequest(http.MethodDelete, "/api/v1/identities/changed", nil),
	} {
		router.ServeHTTP(httptest.NewRecorder(), request)
	}
	require.Len(t, lines, 2)
	for _, line := range lines {
		require.Equal(t, []any{"id", "changed"}, line[8:10])
	}
}

// TestPanics: a request whose handling panics is answered and recorded, and says nothing of the cause to the client. An answer of which a
// part is sent is not ended as if it were whole.
func TestPanics(t *testing.T) {
	var lines [][]any
	defer audit.Use(audit.Use(audit.NewLog(func(_ string, fields ...any) { lines = append(lines, fields) })))
	se := &serverEndpoint{Path: "register", Methods: []string{http.MethodPost}, Handler: func(ctx *serverRequestContextImpl) (any, error) {
		if ctx.req.URL.RawQuery == "partly" {
			_, err := ctx.resp.Write([]byte("{"))
			require.NoError(t, err)
		}
		panic("the cause")
	}}
	w := httptest.NewRecorder()
	se.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/register", strings.NewReader("{}")))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "the cause")
	var answer struct {
		Success bool
		Errors  []struct{ Message string }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	require.False(t, answer.Success)
	require.Len(t, answer.Errors, 1)
	require.Len(t, lines, 1)
	require.Equal(t, []any{"status", 500}, lines[0][len(lines[0])-2:])

	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		se.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/api/v1/register?partly", strings.NewReader("{}")))
	})
	require.Len(t, lines, 2)
	require.Equal(t, []any{"status", 500}, lines[1][len(lines[1])-2:])
}
