// SPDX-License-Identifier: Apache-2.0

package fabhttp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/fabhttp"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
)

// TestRequestsOfOperatorsAreRecorded: what changes a node is in the log before the handler runs, what reads does not.
func TestRequestsOfOperatorsAreRecorded(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	var before string
	handler := fabhttp.NewServer(fabhttp.Options{}).HandlerChain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { before = strings.Join(lines.Entries(), "\n") }), false)
	for method, recorded := range map[string]bool{"GET": false, "HEAD": false, "PUT": true, "POST": true, "DELETE": true} {
		lines.Reset()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/logspec", nil))
		if !recorded {
			require.Empty(t, before, method)
			continue
		}
		require.Contains(t, before, "event=operator-request method="+method+" path=/logspec operator= address=192.0.2.1:1234", method)
	}
}
