// SPDX-License-Identifier: Apache-2.0

package randomness

import (
	"fmt"
	"io"
	"slices"
)

// Samples of SampleBits are what a module in use is tested with.
const (
	Samples    = 20
	SampleBits = 20000
)

// needed is how many of the samples must pass a test: Samples * (1 - Alpha - 3*sqrt(Alpha*(1-Alpha)/Samples)), rounded up.
const needed = 19

// attempts is how many times in a row a test must fail. With Alpha so large, every fifth attempt at a good generator has a test that
// fails; the same one three times running is seen in about one of 10,000 calls of Check.
const attempts = 3

// Check reads samples from r and puts them to the tests. It returns an *Error when one of them fails in each of three attempts, and
// an error when r fails. It reads 50,000 bytes an attempt.
func Check(r io.Reader) error {
	failing := map[string]int{}
	for attempt := 1; ; attempt++ {
		failed, err := attemptOnce(r)
		if err != nil {
			return err
		}
		var always *Error // in every attempt so far
		for _, f := range failed {
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

func attemptOnce(r io.Reader) ([]*Error, error) {
	passed := make([][]int, len(Periodic))
	buf := make([]byte, SampleBits/8)
	for range Samples {
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, fmt.Errorf("reading random bytes: %w", err)
		}
		sample := Expand(buf)
		for i, test := range Periodic {
			for j, p := range test.P(sample) {
				if j == len(passed[i]) {
					passed[i] = append(passed[i], 0)
				}
				if p >= Alpha {
					passed[i][j]++
				}
			}
		}
	}
	var failed []*Error
	for i, test := range Periodic {
		if least := slices.Min(passed[i]); least < needed {
			failed = append(failed, &Error{Test: test.Name, Passed: least})
		}
	}
	return failed, nil
}
