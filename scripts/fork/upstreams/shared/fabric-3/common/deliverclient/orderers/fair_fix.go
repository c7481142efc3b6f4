// SPDX-License-Identifier: Apache-2.0

package orderers

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
)

// Endpoint is a place where an orderer delivers blocks.
//
//fork:fields fix: each ordering organisation is as likely to be asked for blocks as the others
type Endpoint struct {
	group int // the same for all endpoints of an organisation; global ones, which have no organisation, are one group
}

// RandomEndpoint returns an endpoint by chance, as choose does.
//
//fork:replace fix: each ordering organisation is as likely to be asked for blocks as the others, however many endpoints it lists
func (cs *ConnectionSource) RandomEndpoint() (*Endpoint, error) {
	cs.mutex.RLock()
	endpoints := cs.allEndpoints // Update makes new ones, and changes none
	cs.mutex.RUnlock()
	if len(endpoints) > 0 {
		return endpoints[choose(endpoints)], nil
	}
	return nil, errors.New("no endpoints currently defined")
}

// choose returns the index of an endpoint: one of a group, after the group, by chance. So an organisation that lists many endpoints gets no more
// streams than the others, from which it could withhold blocks.
func choose(endpoints []*Endpoint) int {
	groups := grouped(endpoints)
	return one(groups[one(slices.Collect(maps.Keys(groups)))])
}

// grouped returns the indices of the endpoints of each group.
func grouped(endpoints []*Endpoint) map[int][]int {
	groups := map[int][]int{}
	for i, endpoint := range endpoints {
		groups[endpoint.group] = append(groups[endpoint.group], i)
	}
	return groups
}

func one(of []int) int { return of[rand.IntN(len(of))] } //nolint:gosec // chance spreads who is asked, and keeps no secret

// ShuffledEndpoints returns all endpoints in an order of chance. The first one, which is asked first, is chosen as by RandomEndpoint.
//
//fork:wrap fix: each ordering organisation is as likely to be asked for blocks as the others, however many endpoints it lists
func (cs *ConnectionSource) ShuffledEndpoints() []*Endpoint {
	endpoints := cs.upstreamShuffledEndpoints()
	if len(endpoints) > 0 {
		first := choose(endpoints)
		endpoints[0], endpoints[first] = endpoints[first], endpoints[0]
	}
	return endpoints
}

// Next returns the index of the endpoint to ask when the one of this index has failed. Groups take turns, so that no organisation is asked again
// before the others. Endpoints of one group alone take turns themselves.
func Next(endpoints []*Endpoint, failed int) int {
	groups := grouped(endpoints)
	if len(groups) == 1 {
		return (failed + 1) % len(endpoints)
	}
	turns := slices.Sorted(maps.Keys(groups))
	now := slices.Index(turns, endpoints[failed].group)
	return one(groups[turns[(now+1)%len(turns)]])
}
