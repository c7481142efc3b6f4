// SPDX-License-Identifier: Apache-2.0

package loglimit

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText bounds, in bytes, a text that strangers have put into a line. A node takes requests of up to 100 MiB.
const MaxText = 4096

// Shorten returns a text of at most MaxText bytes as it is, and of a longer one the beginning and its length.
func Shorten(text string) string {
	if len(text) <= MaxText {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:MaxText], len(text))
}

// Quote indents the lines of a message after the first, since a line at the margin is an entry of the log, and writes other
// characters that move a terminal's cursor, and bytes that are no UTF-8, as Go does. Names that strangers choose are in messages as they are.
func Quote(message string) string {
	if strings.IndexFunc(message, isControl) < 0 && utf8.ValidString(message) {
		return message
	}
	var quoted strings.Builder
	for len(message) > 0 {
		r, n := utf8.DecodeRuneInString(message)
		switch {
		case r == '\n' && len(message) > n:
			quoted.WriteString("\n\t")
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&quoted, `\x%02x`, message[0])
		case isControl(r) && r != '\n':
			fmt.Fprintf(&quoted, `\u%04x`, r)
		default:
			quoted.WriteString(message[:n])
		}
		message = message[n:]
	}
	return quoted.String()
}

func isControl(r rune) bool { return r != '\t' && unicode.IsControl(r) }

// Quoted returns a name in quotes, for one line of a terminal. They keep names of strangers apart from what is said of them.
func Quoted(name string) string { return Printable(strconv.Quote(name)) }

// Printable returns a text for one line of a terminal, with a question mark for each character that a terminal obeys or that turns text
// around, and for bytes that are no UTF-8. Names in certificates and blocks are of strangers.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError || r >= 0x200b && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, text)
}
