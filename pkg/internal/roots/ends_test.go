// SPDX-License-Identifier: Apache-2.0

package roots

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWarnOfEnds: of a certificate that has a month, nothing is said.
func TestWarnOfEnds(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		left time.Duration
		want string
	}{
		{-time.Minute, "level=ERROR msg=\"a certificate of the test has ended"},
		{29 * day, "level=WARN msg=\"a certificate of the test ends soon"},
		{31 * day, ""},
	} {
		var text bytes.Buffer
		WarnOfEnds(slog.New(slog.NewTextHandler(&text, nil)), "the test", &x509.Certificate{NotAfter: time.Now().Add(test.left)})
		if test.want == "" {
			require.Empty(t, text.String())
			continue
		}
		require.Contains(t, text.String(), test.want)
	}
}
