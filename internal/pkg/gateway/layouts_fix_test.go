// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Two groups of the first layout fail at once. The second layout, which needs neither, is asked for next.
func TestTwoGroupsFail(t *testing.T) {
	p := newPlan([]*layout{
		{required: map[string]int{"g1": 1, "g2": 1}},
		{required: map[string]int{"g3": 1}},
	}, map[string][]*endorser{"g1": {localhostMock}, "g2": {peer2Mock}, "g3": {peer4Mock}})
	require.ElementsMatch(t, []*endorser{localhostMock, peer2Mock}, p.endorsers())
	p.nextPeerInGroup(localhostMock)
	p.nextPeerInGroup(peer2Mock)
	require.Equal(t, []*endorser{peer4Mock}, p.endorsers())
}

// A layout that cannot be met since one of its groups has too few endorsers leaves those of its other groups to later layouts. Groups have
// no order, so it is tried often.
func TestAbandonedLayoutTakesNobody(t *testing.T) {
	for range 50 {
		p := newPlan([]*layout{
			{required: map[string]int{"g1": 1, "g2": 2}},
			{required: map[string]int{}},
			{required: map[string]int{"g1": 1, "g2": 1}},
		}, map[string][]*endorser{"g1": {localhostMock}, "g2": {peer2Mock}})
		require.ElementsMatch(t, []*endorser{localhostMock, peer2Mock}, p.endorsers())
		require.Nil(t, p.endorsers())
	}
}
