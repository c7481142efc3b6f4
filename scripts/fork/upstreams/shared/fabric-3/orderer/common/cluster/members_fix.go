// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"errors"
	"maps"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// ownID returns the number that this node has among the consenters of a channel.
func (ac *AuthCommMgr) ownID(channel string) (uint64, error) {
	ac.Lock.RLock()
	defer ac.Lock.RUnlock()
	members, known := ac.Chan2Members[channel]
	if !known {
		return 0, errors.New("the members of the channel are not known")
	}
	own := members.LookupByIdentity(ac.NodeIdentity)
	if own == nil {
		return 0, errors.New("the channel has no consenter with the identity of this node")
	}
	return own.ID, nil
}

// ConfigureNodeCerts also ends the streams of consenters whose identity was replaced. Who has the key of the old one, for which it may
// have been replaced, would otherwise speak for the consenter as long as the connection lasts.
//
//fork:wrap fix: a consenter's stream ends with the identity that has opened it
func (s *ClusterService) ConfigureNodeCerts(channel string, nodes []*common.Consenter) error {
	before := s.identities(channel)
	if err := s.upstreamConfigureNodeCerts(channel, nodes); err != nil {
		return err
	}
	now := s.identities(channel)
	s.Lock.RLock()
	defer s.Lock.RUnlock()
	streams := &s.MembershipByChannel[channel].AuthorizedStreams
	streams.Range(func(stream, node any) bool {
		if id := node.(uint64); !bytes.Equal(before[id], now[id]) {
			streams.Delete(stream.(uint64))
		}
		return true
	})
	return nil
}

// identities returns the identities of the consenters of a channel by their numbers.
func (s *ClusterService) identities(channel string) map[uint64][]byte {
	s.Lock.RLock()
	defer s.Lock.RUnlock()
	if membership := s.MembershipByChannel[channel]; membership != nil {
		return maps.Clone(membership.MemberMapping)
	}
	return nil
}
