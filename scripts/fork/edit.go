// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/scanner"
	"go/token"
	"sort"
)

// edit replaces the bytes [start, end) of a source by text. Working on byte ranges, rather than printing syntax
// trees, leaves every other byte of an upstream file as upstream wrote it.
type edit struct {
	start, end int
	text       string
	cause      string // file:line of ours, for messages
}

// applyEdits returns src with all edits made. Two edits that overlap are an error naming both causes.
func applyEdits(src []byte, edits []edit) ([]byte, error) {
	sorted := append([]edit(nil), edits...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].start < sorted[j].start })
	var out bytes.Buffer
	at := 0
	for i, e := range sorted {
		if e.start < at {
			return nil, fmt.Errorf("the change from %s overlaps the one from %s", e.cause, sorted[i-1].cause)
		}
		out.Write(src[at:e.start])
		out.WriteString(e.text)
		at = e.end
	}
	out.Write(src[at:])
	return out.Bytes(), nil
}

// lexeme is one Go token and its byte range.
type lexeme struct {
	text       string
	start, end int
}

// lexemes splits Go source into tokens. Comments and the semicolons that line ends imply are left out, so two texts
// that differ only in layout and comments give the same texts.
func lexemes(src []byte) ([]lexeme, error) {
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(src))
	var failure error
	var s scanner.Scanner
	s.Init(file, src, func(pos token.Position, msg string) {
		if failure == nil {
			failure = fmt.Errorf("line %d: %s", pos.Line, msg)
		}
	}, 0)
	var out []lexeme
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return out, failure
		}
		if tok == token.SEMICOLON && lit == "\n" {
			continue
		}
		text := lit
		if text == "" || tok.IsOperator() {
			text = tok.String()
		}
		start := file.Offset(pos)
		end := start + len(text)
		if tok == token.STRING || tok == token.CHAR {
			// The scanner drops carriage returns from raw strings; find the true end in the source.
			end = literalEnd(src, start)
		}
		out = append(out, lexeme{text, start, end})
	}
}

// literalEnd returns the offset just behind the string or character literal that starts at start.
func literalEnd(src []byte, start int) int {
	quote := src[start]
	for i := start + 1; i < len(src); i++ {
		switch {
		case src[i] == '\\' && quote != '`':
			i++
		case src[i] == quote:
			return i + 1
		}
	}
	return len(src)
}

// findTokens returns the byte ranges in src where the token sequence of pattern stands, without overlap, leaving out
// the ranges in hidden (declarations that are removed anyway).
func findTokens(src []byte, pattern string, hidden []edit) ([][2]int, error) {
	want, err := lexemes([]byte(pattern))
	if err != nil {
		return nil, err
	}
	if len(want) == 0 {
		return nil, fmt.Errorf("holds no Go token")
	}
	have, err := lexemes(src)
	if err != nil {
		return nil, err
	}
	var found [][2]int
	for i := 0; i+len(want) <= len(have); i++ {
		if !sameTokens(have[i:i+len(want)], want) {
			continue
		}
		span := [2]int{have[i].start, have[i+len(want)-1].end}
		if !inside(span, hidden) {
			found = append(found, span)
		}
		i += len(want) - 1
	}
	return found, nil
}

func sameTokens(have, want []lexeme) bool {
	for i := range want {
		if have[i].text != want[i].text {
			return false
		}
	}
	return true
}

func inside(span [2]int, ranges []edit) bool {
	for _, r := range ranges {
		if span[0] < r.end && r.start < span[1] {
			return true
		}
	}
	return false
}
