// SPDX-License-Identifier: Apache-2.0

package orderers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/flogging"
)

// likely requires that each of four organisations, by which addresses begin, is chosen as often as the others.
func likely(t *testing.T, choose func() *Endpoint) {
	t.Helper()
	shares := map[string]int{}
	for range 4000 {
		org, _, _ := strings.Cut(choose().Address, "-")
		shares[org]++
	}
	require.Len(t, shares, 4)
	for org, share := range shares {
		require.InDelta(t, 1000, share, 250, org)
	}
}

// TestEachOrganisationIsAsLikely: an organisation with many endpoints, which may withhold blocks, is asked no more than others.
func TestEachOrganisationIsAsLikely(t *testing.T) {
	source := NewConnectionSource(flogging.MustGetLogger("test"), map[string]*Endpoint{"a-7": {Address: "a-overridden"}})
	orgs := map[string]OrdererOrg{"a": {}, "b": {Addresses: []string{"b-0"}}, "c": {Addresses: []string{"c-0", "c-1"}}, "d": {Addresses: []string{"d-0"}}, "none": {}}
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf("a-%d", i))
	}
	orgs["a"] = OrdererOrg{Addresses: many}
	source.Update([]string{"global"}, orgs)
	random := func() *Endpoint {
		endpoint, err := source.RandomEndpoint()
		require.NoError(t, err)
		return endpoint
	}
	likely(t, random)

	source.Update([]string{"a-2", "b-2", "c-2", "d-2"}, map[string]OrdererOrg{"a": {}, "b": {}})
	likely(t, random) // global addresses
}
