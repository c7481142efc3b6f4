// SPDX-License-Identifier: Apache-2.0

package randomness

import (
	"fmt"
	"io"
	"slices"
)

// samples are what a generator is tested with, and needed is how many must pass a test: samples * (1 - Alpha -
// 3*sqrt(Alpha*(1-Alpha)/samples)), rounded up.
const (
	samples = 20
	needed  = 19
)

// suite is a list of tests with the length of its samples in bits.
type suite struct {
	tests []Test
	bits  int
}

// attempts is how many times in a row a test must fail. With Alpha so large, every fifth attempt at a good generator has a test that
// fails; the same one three times running is seen in about one of 10,000 calls. A test that no sample passes needs no repetition.
const attempts = 3

// Check reads samples of 20,000 bits from r and puts them to twelve of the tests. It returns an *Error when one of them fails in each
// of three attempts, or for every sample, and an error when r fails. It reads 50,000 bytes an attempt and takes a tenth of a second.
func Check(r io.Reader) error { return suite{periodic, 20000}.check(r) }

// CheckFully is Check by all fifteen tests on samples of a million bits. It takes seconds.
func CheckFully(r io.Reader) error { return suite{full, 1000000}.check(r) }

func (s suite) check(r io.Reader) error {
	failing := map[string]int{}
	for attempt := 1; ; attempt++ {
		failed, err := s.attempt(r)
		if err != nil {
			return err
		}
		var always *Error // in every attempt so far
		for _, f := range failed {
			if f.Passed == 0 { // chance has no part in it
				return f
			}
			if failing[f.Test]++; failing[f.Test] == attempt {
				always = f
			}
		}
		if always == nil {
			return nil
		}
		if attempt == attempts {
			return always
		}
	}
}

func (s suite) attempt(r io.Reader) ([]*Error, error) {
	passed := make([][]int, len(s.tests))
	buf := make([]byte, s.bits/8)
	for range samples {
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, fmt.Errorf("reading random bytes: %w", err)
		}
		sample := Expand(buf)
		for i, test := range s.tests {
			for j, p := range test.P(sample) {
				if j == len(passed[i]) {
					passed[i] = append(passed[i], 0)
				}
				if p >= Alpha { // not of NaN
					passed[i][j]++
				}
			}
		}
	}
	var failed []*Error
	for i, test := range s.tests {
		if least := slices.Min(passed[i]); least < needed {
			failed = append(failed, &Error{Test: test.Name, Passed: least})
		}
	}
	return failed, nil
}
