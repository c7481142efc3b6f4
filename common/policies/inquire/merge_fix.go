// SPDX-License-Identifier: Apache-2.0

package inquire

import (
	"encoding/binary"
	"math/rand"
	"slices"
)

// maxReduced bounds the sets that are compared, each with each.
const maxReduced = 1 << 14

// Reduce returns the sets that contain no other one, and of equal sets the first. Of more sets than can be compared it takes some at random:
// they say whom to ask, and each of them suffices.
//
//fork:replace fix: policies that many sets satisfy, which clients of the discovery service name, cannot occupy a peer for hours
func (cps ComparablePrincipalSets) Reduce() ComparablePrincipalSets {
	sets, members := cps.distinct()
	if len(sets) > maxReduced {
		rand.Shuffle(len(sets), func(i, j int) { //nolint:gosec // chance spreads who is asked, and keeps no secret
			sets[i], sets[j], members[i], members[j] = sets[j], sets[i], members[j], members[i]
		})
		sets, members = sets[:maxReduced], members[:maxReduced]
	}
	byFirst := map[int][]int{}
	for i, m := range members {
		byFirst[m[0]] = append(byFirst[m[0]], i)
	}
	var res ComparablePrincipalSets
	for i, set := range sets {
		if !containsAnother(members, byFirst, i) {
			res = append(res, set)
		}
	}
	return res
}

// distinct returns the sets without repetitions, and the numbers of the principals in each. A principal counts once, as where upstream
// compares sets.
func (cps ComparablePrincipalSets) distinct() (sets ComparablePrincipalSets, members [][]int) {
	numbers, seen := numbers{map[*ComparablePrincipal]int{}, map[string]int{}}, map[string]bool{}
	for _, set := range cps {
		var in []int
		for _, p := range set {
			in = append(in, numbers.of(p))
		}
		slices.Sort(in)
		in = slices.Compact(in)
		var key []byte
		for _, number := range in {
			key = binary.AppendUvarint(key, uint64(number))
		}
		if len(in) > 0 && !seen[string(key)] {
			seen[string(key)] = true
			sets, members = append(sets, set), append(members, in)
		}
	}
	return sets, members
}

// numbers gives equal principals one number. Sets share their principals, which can be long, so each is read once.
type numbers struct {
	known map[*ComparablePrincipal]int
	equal map[string]int
}

func (n numbers) of(p *ComparablePrincipal) int {
	number, known := n.known[p]
	if !known {
		name := string(binary.AppendVarint(nil, int64(p.principal.GetPrincipalClassification()))) + string(p.principal.GetPrincipal())
		if number, known = n.equal[name]; !known {
			number = len(n.equal)
			n.equal[name] = number
		}
		n.known[p] = number
	}
	return number
}

// containsAnother reports whether all that is in another set is in the one with this index. The other's first principal must be in it.
func containsAnother(members [][]int, byFirst map[int][]int, index int) bool {
	for _, first := range members[index] {
		for _, other := range byFirst[first] {
			if other != index && isIn(members[other], members[index]) {
				return true
			}
		}
	}
	return false
}

func isIn(part, whole []int) bool {
	if len(part) > len(whole) {
		return false
	}
	for _, number := range part {
		for len(whole) > 0 && whole[0] < number {
			whole = whole[1:]
		}
		if len(whole) == 0 || whole[0] != number {
			return false
		}
	}
	return true
}
