// SPDX-License-Identifier: Apache-2.0

package log

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// print writes a line.
//
//fork:wrap fix: names that strangers choose were in the log as they are: a line break in one began a line that looked like any other, a security event perhaps
func print(l int, msg string) {
	if l >= Level {
		upstreamPrint(l, quoteControls(msg))
	}
}

// quoteControls indents the lines of a message after the first, and writes other control characters, and bytes that are no UTF-8, as Go
// does. The logs of nodes do the same (common/flogging/bound_fix.go).
func quoteControls(msg string) string {
	if strings.IndexFunc(msg, isControl) < 0 && utf8.ValidString(msg) {
		return msg
	}
	var quoted strings.Builder
	for len(msg) > 0 {
		r, n := utf8.DecodeRuneInString(msg)
		switch {
		case r == '\n' && len(msg) > n:
			quoted.WriteString("\n\t")
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&quoted, `\x%02x`, msg[0])
		case isControl(r) && r != '\n':
			fmt.Fprintf(&quoted, `\u%04x`, r)
		default:
			quoted.WriteString(msg[:n])
		}
		msg = msg[n:]
	}
	return quoted.String()
}

func isControl(r rune) bool { return r != '\t' && unicode.IsControl(r) }
