// SPDX-License-Identifier: Apache-2.0

package loglimit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPrintable: colours, text turned around, line ends, C1 controls and bytes of other encodings do not reach a terminal; other scripts do.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"a\x1b[31m名":            "a?[31m名",
		"a\u202eb\u2066c\u200b": "a?b?c?",
		"a\nb\tc\x7f":           "a?b?c?",
		"a\u009b31m":            "a?31m",
		"a\xffb":                "a?b",
		"O=银行, CN=örg":          "O=银行, CN=örg",
	} {
		require.Equal(t, want, Printable(text))
	}
}
