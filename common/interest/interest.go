// SPDX-License-Identifier: Apache-2.0

// Package interest counts what an interest in chaincodes asks of a peer, before the peer computes it. Clients and other peers write
// interests, and the sets of principals of all policies in one are multiplied.
package interest

import (
	"fmt"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
)

const (
	// MaxSets bounds the sets of principals that satisfy the policies of keys in one interest. A policy that all of its organisations have
	// to satisfy has one set.
	MaxSets  = 256
	maxRules = 256 // rules in one part of a policy

	maxPolicyRules    = 1000     // in one policy
	maxAllRules       = 10000    // in all of them
	maxPrincipalBytes = 16 << 10 // of an identity or another principal that a policy names
)

// Check refuses an interest whose policies of keys more than MaxSets sets of principals satisfy. Otherwise it returns the work
// that the interest is: the number of its chaincodes, collections, policies and sets.
func Check(interest *peer.ChaincodeInterest) (parts int, err error) {
	sets, rules, seen := 1, 0, map[string]bool{}
	parts = len(interest.GetChaincodes())
	for _, call := range interest.GetChaincodes() {
		parts += len(call.GetCollectionNames()) + len(call.GetKeyPolicies())
		for _, policy := range call.GetKeyPolicies() {
			text, err := proto.Marshal(policy)
			if err != nil {
				return 0, err
			}
			if seen[string(text)] { // keys often share a policy, which adds nothing
				continue
			}
			seen[string(text)] = true
			of := rulesOf(policy.GetRule())
			if rules += of; of > maxPolicyRules || rules > maxAllRules {
				return 0, fmt.Errorf("a policy of a key in an interest has %d rules", of)
			}
			for _, principal := range policy.GetIdentities() {
				if size := len(principal.GetPrincipal()); size > maxPrincipalBytes {
					return 0, fmt.Errorf("a policy of a key in an interest names an identity of %d bytes", size)
				}
			}
			if sets *= setsOf(policy.GetRule()); sets > MaxSets {
				return 0, fmt.Errorf("more than %d sets of principals satisfy the policies of keys in an interest", MaxSets)
			}
		}
	}
	return parts + sets, nil
}

func rulesOf(rule *common.SignaturePolicy) int {
	count := 1
	for _, part := range rule.GetNOutOf().GetRules() {
		count += rulesOf(part)
	}
	return count
}

// setsOf counts the sets of principals that satisfy a rule or, if they are more, one of its parts, up to MaxSets+1. Upstream lists those of all
// parts, even if nothing satisfies the whole.
func setsOf(rule *common.SignaturePolicy) int {
	kind, ok := rule.GetType().(*common.SignaturePolicy_NOutOf_)
	if !ok {
		return 1
	}
	rules := kind.NOutOf.GetRules()
	if len(rules) > maxRules {
		return MaxSets + 1
	}
	most := 1
	ways := make([]int, len(rules)+1) // by the number of rules satisfied among those seen
	ways[0] = 1
	for _, part := range rules {
		sets := setsOf(part)
		most = max(most, sets)
		for i := len(rules); i > 0; i-- {
			ways[i] = min(ways[i]+ways[i-1]*sets, MaxSets+1)
		}
	}
	if n := int(kind.NOutOf.GetN()); n >= 0 && n < len(ways) {
		most = max(most, ways[n])
	}
	return most
}
