// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/protoutil"
)

// EligibleForService refuses a query of the discovery service by somebody who may not ask for the channel, or, without one, the peer.
//
//fork:wrap gm: failed policies are security events
func (s *DiscoverySupport) EligibleForService(channel string, data protoutil.SignedData) error {
	err := s.upstreamEligibleForService(channel, data)
	if err != nil {
		audit.Bounded(audit.PolicyFailed, "channel", channel, "rule", "discovery",
			"by", func() string { return protoutil.LogMessageForSerializedIdentity(data.Identity) }, "reason", err.Error())
	}
	return err
}
