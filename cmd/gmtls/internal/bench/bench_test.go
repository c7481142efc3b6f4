// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentiles(t *testing.T) {
	var sorted []time.Duration
	require.Zero(t, at(sorted, 0.5))
	for i := 1; i <= 100; i++ {
		sorted = append(sorted, time.Duration(i))
	}
	require.EqualValues(t, 50, at(sorted, 0.50))
	require.EqualValues(t, 95, at(sorted, 0.95))
	require.EqualValues(t, 99, at(sorted, 0.99))
	require.EqualValues(t, 100, at(sorted, 1))
	require.EqualValues(t, 1, at(sorted[:1], 0.5))
}
