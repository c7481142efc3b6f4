// SPDX-License-Identifier: Apache-2.0

package randomness

import (
	"fmt"
	"io"
)

// samples are what a generator is tested with, and needed is how many must pass a test (GM/T 0005-2021, 6.2): samples * (1 - Alpha -
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

// intervals are what the range of Q-values is divided into (6.3).
const intervals = 10

// attempts is how many times in a row a test must fail. With Alpha so large, every fifth attempt at a good generator has a test that
// fails; the same one three times running is seen in about one of 10,000 calls. A test that no sample passes needs no repetition.
const attempts = 3

// Check reads samples of 20,000 bits from r and runs twelve of the tests on them: enough samples must pass each test, and the Q-values
// of all samples must be distributed evenly. It returns an *Error when one of these fails in each of three attempts, or
// when no sample passes a test, and an error when r fails. It reads 50,000 bytes in each attempt and takes a tenth of a second.
func Check(r io.Reader) error { return suite{periodic, 20000}.check(r) }

// CheckFully is Check with all fifteen tests on samples of a million bits. It takes seconds.
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
			if f.always { // chance has no part in it
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

func (s suite) attempt(r io.Reader) (failed []*Error, err error) {
	values := make([][][]Value, len(s.tests)) // by test and sample
	buf := make([]byte, s.bits/8)
	for range samples {
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, fmt.Errorf("reading random bytes: %w", err)
		}
		sample := Expand(buf)
		for i, test := range s.tests {
			values[i] = append(values[i], test.Values(sample))
		}
	}
	for i, test := range s.tests {
		passed, evenly := samples, 1.0 // the least of a test's values
		for j := range values[i][0] {
			of := make([]Value, samples)
			for k := range of {
				of[k] = values[i][k][j]
			}
			passed, evenly = min(passed, passing(of)), min(evenly, evenness(of))
		}
		if passed < needed {
			failed = append(failed, &Error{test.Name, fmt.Sprintf("%d of %d samples pass, and %d have to", passed, samples, needed), passed == 0})
		}
		if evenly < alphaT {
			failed = append(failed, &Error{test.Name + ", Q-values", fmt.Sprintf("those of %d samples are not distributed evenly", samples), false})
		}
	}
	return failed, nil
}

// passing is how many samples pass (6.2).
func passing(values []Value) (n int) {
	for _, v := range values {
		if v.P >= Alpha { // not of NaN
			n++
		}
	}
	return n
}

// evenness is how likely Q-values of random samples are distributed at least as unevenly as these (6.3).
func evenness(values []Value) float64 {
	var counts [intervals]float64
	for _, v := range values {
		counts[min(max(int(v.Q*intervals), 0), intervals-1)]++
	}
	n := float64(len(values))
	return upperGamma((intervals-1)/2.0, (intervals*squares(counts[:])/n-n)/2)
}
