// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/stretchr/testify/require"
)

// FuzzDecode: a body that is accepted is nothing, or one JSON value within the bound, and means the same when it is written again.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		"", "{}", "{}}", "null", `{"role":"peer.server","serverMode":"gm","clientMode":"tls"}`,
		`{"role":"orderer.cluster","gmProtocols":["TLCP","TLS13"],"gmClientProtocol":"TLS13"}`, `{"role":1}`, `{"rule":""}`,
	} {
		f.Add([]byte(body))
	}
	decoded := func(body []byte) (c tlsstatus.Change, err error) {
		r := httptest.NewRequest(http.MethodPut, tlsstatus.Path, bytes.NewReader(body))
		err = decode(httptest.NewRecorder(), r, &c)
		return c, err
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decoded(body)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(body), maxBody)
		require.True(t, len(bytes.TrimSpace(body)) == 0 || json.Valid(body))
		written, err := json.Marshal(c)
		require.NoError(t, err)
		again, err := decoded(written)
		if len(written) <= maxBody {
			require.NoError(t, err)
			require.Equal(t, c, again)
		}
	})
}
