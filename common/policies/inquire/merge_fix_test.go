// SPDX-License-Identifier: Apache-2.0

package inquire

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/policies"
)

// TestReduceIsUpstreams compares with upstream's way, which goes over the sets until none is left out.
func TestReduceIsUpstreams(t *testing.T) {
	for range 500 {
		var sets ComparablePrincipalSets
		for range rand.Intn(12) {
			var set policies.PrincipalSet
			for range 1 + rand.Intn(4) {
				set = append(set, member(string(rune('A'+rand.Intn(5)))))
			}
			sets = append(sets, NewComparablePrincipalSet(set))
		}
		want := sets
		for before := -1; len(want) != before; {
			before = len(want)
			want = want.reduce()
		}
		require.Equal(t, want, sets.Reduce())
	}
}
