// SPDX-License-Identifier: Apache-2.0

package gateway

import "fmt"

// maxOrganizations bounds the names of organisations in one request, in bytes: a thousand names of 16 characters.
const maxOrganizations = 16 << 10

// planForOrgs plans as upstream does, for each organisation that the client names once.
//
//fork:wrap fix: a client that named an organisation a million times had its peers asked a million times, also when it had gone
func (reg *registry) planForOrgs(channel string, chaincode string, endorsingOrgs []string) (*plan, error) {
	orgs, err := eachOnce(endorsingOrgs)
	if err != nil {
		return nil, err
	}
	return reg.upstreamPlanForOrgs(channel, chaincode, orgs)
}

// evaluator plans as upstream does, for each organisation that the client names once.
//
//fork:wrap fix: a client that named an organisation a million times had its peers sorted and asked a million times
func (reg *registry) evaluator(channel string, chaincode string, targetOrgs []string) (*plan, error) {
	orgs, err := eachOnce(targetOrgs)
	if err != nil {
		return nil, err
	}
	return reg.upstreamEvaluator(channel, chaincode, orgs)
}

// eachOnce returns the names in their order, each of them once.
func eachOnce(names []string) ([]string, error) {
	var once []string
	size, seen := 0, map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		if size += len(name) + 1; size > maxOrganizations {
			return nil, fmt.Errorf("the names of organizations have more than %d bytes", maxOrganizations)
		}
		seen[name] = true
		once = append(once, name)
	}
	return once, nil
}
