// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// normalised returns the token texts of src in one string: what the lock hashes. What 'go fix' rewrites without a change of
// meaning counts as the same in its old and in its new form.
func normalised(src []byte) (string, error) {
	toks, err := lexemes(src)
	if err != nil {
		return "", err
	}
	texts := make([]string, len(toks))
	for i, t := range toks {
		texts[i] = t.text
	}
	return strings.Join(modernised(texts), " "), nil
}

// successors are what took the place of package io/ioutil's functions without another type (Go 1.16).
var successors = map[string]string{
	"ReadFile": "os", "WriteFile": "os", "TempDir": "os", "TempFile": "os",
	"ReadAll": "io", "NopCloser": "io", "Discard": "io",
}

var renamed = map[string]string{"TempDir": "MkdirTemp", "TempFile": "CreateTemp"}

// modernised brings the tokens of a file or declaration into the form of newer Go: any for interface{} (Go 1.18), os and io for
// io/ioutil (1.16), reflect.TypeFor for reflect.TypeOf of a zero value (1.22). The imports that this needs or no longer needs
// are left out.
func modernised(toks []string) []string {
	var out []string
	for i := 0; i < len(toks); {
		rest := toks[i:]
		switch {
		case importOf(toks, i):
			i++
		case starts(rest, "interface", "{", "}"):
			out = append(out, "any")
			i += 3
		case starts(rest, "ioutil", ".") && len(rest) > 2 && successors[rest[2]] != "":
			name := rest[2]
			if other := renamed[name]; other != "" {
				name = other
			}
			out = append(out, successors[rest[2]], ".", name)
			i += 3
		default:
			if typ, n := typeOfZero(rest); n > 0 {
				out = append(append(append(out, "reflect", ".", "TypeFor", "["), modernised(typ)...), "]", "(", ")")
				i += n
				continue
			}
			out = append(out, toks[i])
			i++
		}
	}
	return out
}

// importOf reports whether the token at i imports one of the packages in question, under its own name.
func importOf(toks []string, i int) bool {
	switch toks[i] {
	case `"io/ioutil"`, `"os"`, `"io"`, `"reflect"`:
	default:
		return false
	}
	for i--; i >= 0; i-- {
		switch {
		case toks[i] == "import":
			return true
		case toks[i] == "(":
			return i > 0 && toks[i-1] == "import"
		case !strings.HasPrefix(toks[i], `"`) && !strings.HasPrefix(toks[i], "`") && !isName(toks[i]):
			return false
		}
	}
	return false
}

// isName reports whether a token is an identifier, as stands before some imports, or a dot.
func isName(tok string) bool {
	return tok == "." || strings.IndexFunc(tok, func(r rune) bool { return r != '_' && (r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z') }) < 0
}

// typeOfZero recognises reflect.TypeOf((*T)(nil)).Elem() and reflect.TypeOf(T{}) for a named T. It returns T and the number of
// tokens, none where there is neither.
func typeOfZero(toks []string) (typ []string, n int) {
	if !starts(toks, "reflect", ".", "TypeOf", "(") {
		return nil, 0
	}
	pointer := starts(toks[4:], "(", "*")
	at := 4
	if pointer {
		at += 2
	}
	end := at
	for end < len(toks) && isName(toks[end]) {
		end++
	}
	if pointer && starts(toks[at:], "interface", "{", "}") {
		end = at + 3
	}
	closing := []string{"{", "}", ")"}
	if pointer {
		closing = []string{")", "(", "nil", ")", ")", ".", "Elem", "(", ")"}
	}
	if end == at || !starts(toks[end:], closing...) {
		return nil, 0
	}
	return toks[at:end], end + len(closing)
}

func starts(toks []string, with ...string) bool {
	if len(toks) < len(with) {
		return false
	}
	for i, w := range with {
		if toks[i] != w {
			return false
		}
	}
	return true
}
