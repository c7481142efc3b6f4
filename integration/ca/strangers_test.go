// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGuessedPasswords: after the wrong passwords that are allowed, no password is looked at, also if they come at once.
func TestGuessedPasswords(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", more: "cfg: {identities: {passwordattempts: 3}}\n"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	for _, id := range []string{"one-by-one", "at-once"} {
		admin.register(ctx, t, id, "pw", "client")
		body, err := json.Marshal(enrolment{Request: sm2Request(t, id)})
		require.NoError(t, err)
		try := func(password string) int {
			status, _ := post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth(id, password) })
			return status
		}
		var wrong atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			guess := func() {
				if try(fmt.Sprint("guess ", i)) == http.StatusUnauthorized {
					wrong.Add(1)
				}
			}
			if id == "at-once" {
				all.Go(guess)
			} else {
				guess()
			}
		}
		all.Wait()
		require.EqualValues(t, 20, wrong.Load())
		require.Equal(t, http.StatusUnauthorized, try("pw"), id)
	}
	require.Zero(t, issued(ctx, t, admin, "at-once"))
}
