// SPDX-License-Identifier: Apache-2.0

package endorsement

import (
	"crypto/sha256"
	"fmt"
	"math/rand"
	"slices"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/discovery"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/interest"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policies/inquire"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/pkg/errors"
)

// PeersForEndorsement returns which peers can endorse together what is asked for.
//
//fork:wrap fix: the policies of keys in an interest, which clients and other peers send, cannot occupy a peer
func (ea *endorsementAnalyzer) PeersForEndorsement(channelID common.ChannelID, asked *peer.ChaincodeInterest) (*discovery.EndorsementDescriptor, error) {
	if _, err := interest.Check(asked); err != nil {
		return nil, err
	}
	return ea.upstreamPeersForEndorsement(channelID, eachCallOnce(asked))
}

// eachCallOnce leaves out calls that are equal to an earlier one: they add nothing to who can endorse.
func eachCallOnce(asked *peer.ChaincodeInterest) *peer.ChaincodeInterest {
	if len(asked.GetChaincodes()) < 2 {
		return asked
	}
	once, seen := &peer.ChaincodeInterest{}, map[string]bool{}
	for _, call := range asked.GetChaincodes() {
		raw, err := proto.Marshal(call)
		if err == nil && seen[string(raw)] {
			continue
		}
		seen[string(raw)] = true
		once.Chaincodes = append(once.Chaincodes, call)
	}
	return once
}

// Merging two policies pairs each set that satisfies the one with each that satisfies the other, and compares the results.
const (
	fewPairs     = 4096    // take no time
	manyPairs    = 1 << 18 // of which no more are made: of larger policies some sets are taken, at random
	timesOfPairs = 8       // for one interest, each of which may take seconds
)

// mergePrincipalSets merges the sets that satisfy each of several policies. Of equal policies it takes one.
//
//fork:wrap fix: an interest that names the same or large policies cannot occupy a peer for hours
func mergePrincipalSets(cpss []inquire.ComparablePrincipalSets) (inquire.ComparablePrincipalSets, error) {
	if len(cpss) < 2 {
		return upstreamMergePrincipalSets(cpss)
	}
	merged, times := cpss[0], 0
	seen := map[[sha256.Size]byte]bool{digest(merged): true}
	for _, sets := range cpss[1:] {
		d := digest(sets)
		if seen[d] {
			continue
		}
		seen[d] = true
		if len(merged)*len(sets) > fewPairs {
			if times++; times > timesOfPairs {
				return nil, errors.New("too many sets of principals satisfy the policies of an interest together")
			}
			merged, sets = some(merged, manyPairs/min(len(sets), 512)), some(sets, 512)
		}
		merged = inquire.Merge(merged, sets)
	}
	return merged, nil
}

// some returns at most so many of the sets, at random if they are more.
func some(sets inquire.ComparablePrincipalSets, most int) inquire.ComparablePrincipalSets {
	if len(sets) <= most {
		return sets
	}
	chosen := slices.Clone(sets)
	rand.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] }) //nolint:gosec // chance spreads who is asked, and keeps no secret
	return chosen[:most]
}

// digest is the same for two lists of sets that have the same principals in the same order. Sets share their principals, which can be long, so
// each is hashed once.
func digest(sets inquire.ComparablePrincipalSets) (sum [sha256.Size]byte) {
	h, known := sha256.New(), map[*msp.MSPPrincipal][sha256.Size]byte{}
	for _, set := range sets.ToPrincipalSets() {
		fmt.Fprintf(h, "%d ", len(set))
		for _, principal := range set {
			hashed, ok := known[principal]
			if !ok {
				hashed = sha256.Sum256(fmt.Appendf(nil, "%d %s", principal.PrincipalClassification, principal.Principal))
				known[principal] = hashed
			}
			h.Write(hashed[:])
		}
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// knownPrincipals has what the principals of a policy were parsed to. Its sets share them.
type knownPrincipals map[*msp.MSPPrincipal]*inquire.ComparablePrincipal

func (k knownPrincipals) set(principals policies.PrincipalSet) (res inquire.ComparablePrincipalSet) {
	for _, principal := range principals {
		parsed, known := k[principal]
		if !known {
			parsed = inquire.NewComparablePrincipal(principal)
			k[principal] = parsed
		}
		if parsed == nil {
			return nil
		}
		res = append(res, parsed)
	}
	return res
}
