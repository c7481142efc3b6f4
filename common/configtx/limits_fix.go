// SPDX-License-Identifier: Apache-2.0

package configtx

import (
	"bytes"
	"fmt"
	"math"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// rulesAtMost bounds the rules of a policy, and the identities that it names. Each node goes through all rules for each identity, and
	// asks all organisations in the policies of a channel.
	rulesAtMost = 1000

	// principalAtMost bounds in bytes an identity or another principal that a policy names, which may consist of others. Certificates of nodes
	// and users have one or two thousand.
	principalAtMost = 16 << 10

	// endpointsAtMost bounds the orderers of an organisation, of which each peer chooses one at random.
	endpointsAtMost = 50

	// sharesAtLeast is how many organisations, at least, have place in a configuration. The others and an update need the rest of the
	// bytes that a transaction may have.
	sharesAtLeast = 4
)

// limits are those of what an organisation decides alone about itself, and all nodes of a channel have to live with.
type limits struct{ organisation int }

func newLimits(channel *cb.ConfigGroup) limits {
	size := &ab.BatchSize{}
	value := channel.GetGroups()["Orderer"].GetValues()["BatchSize"].GetValue()
	if err := proto.Unmarshal(value, size); err != nil || size.AbsoluteMaxBytes == 0 {
		return limits{organisation: math.MaxInt} // no orderer serves such a channel
	}
	return limits{organisation: int(size.AbsoluteMaxBytes) / sharesAtLeast}
}

// check looks only at what changed, so that a channel that is beyond a limit can have something else changed.
func (l limits) check(path string, was, is *cb.ConfigGroup) error {
	if is.GetValues()[mspKey] != nil {
		if size := proto.Size(is); size > l.organisation && size > proto.Size(was) {
			return fmt.Errorf("%s would have %d bytes, and the limit is %d, a quarter of AbsoluteMaxBytes, so that others have place; raise AbsoluteMaxBytes of the ordering first", path, size, l.organisation)
		}
	}
	if err := checkAuthorities(was.GetValues()[mspKey].GetValue(), is.GetValues()[mspKey].GetValue()); err != nil {
		return fmt.Errorf("the MSP of %s: %w", path, err)
	}
	for name, policy := range is.GetPolicies() {
		if !proto.Equal(policy.GetPolicy(), was.GetPolicies()[name].GetPolicy()) {
			if err := checkPolicy(policy.GetPolicy()); err != nil {
				return fmt.Errorf("policy %s of %s: %w", name, path, err)
			}
		}
	}
	const endpoints = "Endpoints"
	if encoded := is.GetValues()[endpoints].GetValue(); !bytes.Equal(encoded, was.GetValues()[endpoints].GetValue()) {
		addresses := &cb.OrdererAddresses{}
		if err := proto.Unmarshal(encoded, addresses); err != nil {
			return fmt.Errorf("%s of %s: %w", endpoints, path, err)
		}
		if found := len(addresses.Addresses); found > endpointsAtMost {
			return fmt.Errorf("%s of %s has %d addresses, and the limit is %d", endpoints, path, found, endpointsAtMost)
		}
	}
	for name, group := range is.GetGroups() {
		if err := l.check(path+"/"+name, was.GetGroups()[name], group); err != nil {
			return err
		}
	}
	return nil
}

func checkPolicy(policy *cb.Policy) error {
	if policy.GetType() != int32(cb.Policy_SIGNATURE) {
		return nil
	}
	identities, rules := 0, counted(0)
	err := eachField(policy.GetValue(), func(number protowire.Number, content []byte) error {
		switch number {
		case 2: // rule
			return rules.rule(content)
		case 3: // identities
			identities++
			if len(content) > principalAtMost {
				return fmt.Errorf("it names an identity of %d bytes, and the limit is %d", len(content), principalAtMost)
			}
		}
		return nil
	})
	if err == nil && identities > rulesAtMost {
		err = fmt.Errorf("it names %d identities, and the limit is %d", identities, rulesAtMost)
	}
	return err
}

// counted counts the rules of a policy.
type counted int

func (c *counted) rule(encoded []byte) error {
	if *c++; *c > rulesAtMost {
		return fmt.Errorf("it has more than %d rules", rulesAtMost)
	}
	return eachField(encoded, func(number protowire.Number, outOf []byte) error {
		if number != 2 { // n_out_of
			return nil
		}
		return eachField(outOf, func(number protowire.Number, rule []byte) error {
			if number == 2 { // rules
				return c.rule(rule)
			}
			return nil
		})
	})
}
