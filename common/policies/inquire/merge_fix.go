// SPDX-License-Identifier: Apache-2.0

package inquire

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
)

// maxReduced bounds the principals of the sets that are compared, each with each.
const maxReduced = 1 << 16

// Reduce leaves out equal sets before it compares each with each: a majority of many organisations, merged with any one of them, has the same
// set many times. Of more sets than can be compared it takes some at random. They say whom to ask, and each of them suffices.
//
//fork:wrap fix: policies that many sets satisfy, which clients of the discovery service name, cannot occupy a peer for hours
func (cps ComparablePrincipalSets) Reduce() ComparablePrincipalSets {
	var once ComparablePrincipalSets
	seen, principals := map[string]bool{}, 0
	for _, set := range cps {
		key := set.key()
		if !seen[key] {
			seen[key] = true
			once = append(once, set)
			principals += len(set)
		}
	}
	if principals > maxReduced {
		rand.Shuffle(len(once), func(i, j int) { once[i], once[j] = once[j], once[i] })
		once = once[:max(1, len(once)*maxReduced/principals)]
	}
	return once.upstreamReduce()
}

// key is the same for sets with the same principals, in any order.
func (cps ComparablePrincipalSet) key() string {
	keys := make([]string, len(cps))
	for i, p := range cps {
		keys[i] = fmt.Sprintf("%d %q", p.principal.GetPrincipalClassification(), p.principal.GetPrincipal())
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}
