// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"
	"fmt"
	"slices"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/util"
)

// smartBFT is the consenters of SmartBFT: a value of the orderers' group, and the policy that wants the signatures of a quorum of them on
// each block.
type smartBFT struct {
	root, group *cb.ConfigGroup
	all         []*cb.Consenter
}

func newSmartBFT(root, group *cb.ConfigGroup) (cluster, error) {
	orderers := &cb.Orderers{}
	if err := proto.Unmarshal(group.GetValues()[channelconfig.OrderersKey].GetValue(), orderers); err != nil {
		return nil, errors.New("the channel's consenters cannot be decoded")
	}
	if group.GetPolicies()[policies.BlockValidationPolicyKey] == nil {
		return nil, fmt.Errorf("the ordering service has no policy %s", policies.BlockValidationPolicyKey)
	}
	return &smartBFT{root, group, orderers.ConsenterMapping}, nil
}

func (b *smartBFT) addresses() (all []string) {
	for _, c := range b.all {
		all = append(all, address(c.Host, int(c.Port)))
	}
	return all
}

func (b *smartBFT) seats() (all []seat) {
	for _, c := range b.all {
		all = append(all, seat{address(c.Host, int(c.Port)), c.ClientTlsCert, c.ServerTlsCert, c.MspId, c.Identity})
	}
	return all
}

func (b *smartBFT) add(c Consenter, host string, port int, has certificates) error {
	if has.tls == nil || has.identity == nil {
		return errors.New("SmartBFT recognises a consenter by its identity, and the channel has its TLS certificate too: name both")
	}
	id, err := b.number(c.ID)
	if err != nil {
		return err
	}
	mspID := mspOf(b.root, c.Organization)
	if mspID == "" {
		return fmt.Errorf("the ordering service has no organisation %s", c.Organization)
	}
	b.all = append(b.all, &cb.Consenter{Id: id, Host: host, Port: uint32(port), MspId: mspID})
	return b.replace(len(b.all)-1, has)
}

// number is the id of a newcomer: the wanted one, or the next if that is zero.
func (b *smartBFT) number(wanted uint32) (uint32, error) {
	var highest uint32
	for _, c := range b.all {
		if c.Id == wanted {
			return 0, fmt.Errorf("the consenter %s has the id %d already", address(c.Host, int(c.Port)), wanted)
		}
		highest = max(highest, c.Id)
	}
	if wanted != 0 {
		return wanted, nil
	}
	return highest + 1, nil
}

func (b *smartBFT) replace(i int, has certificates) error {
	if has.tls == nil && has.identity == nil {
		return errors.New("name the consenter's TLS certificate, its identity, or both")
	}
	c := b.all[i]
	if has.tls != nil {
		c.ClientTlsCert, c.ServerTlsCert = has.tls, has.tls
	}
	if has.identity != nil {
		c.Identity = has.identity
	}
	return nil
}

func (b *smartBFT) remove(i int) { b.all = slices.Delete(b.all, i, i+1) }

func (b *smartBFT) has(mspID string) bool {
	return slices.ContainsFunc(b.all, func(c *cb.Consenter) bool { return c.MspId == mspID })
}

func (b *smartBFT) save() ([]string, error) {
	setValue(b.group, channelconfig.OrderersValue(b.all))
	version := b.group.Policies[policies.BlockValidationPolicyKey].Version
	policies.EncodeBFTBlockVerificationPolicy(b.all, b.group)
	b.group.Policies[policies.BlockValidationPolicyKey].Version = version
	faulty := (len(b.all) - 1) / 3
	return []string{fmt.Sprintf("blocks have the signatures of %d of %d consenters; %d may be faulty",
		policies.ComputeBFTQuorum(len(b.all), faulty), len(b.all), faulty)}, nil
}

// judgeSmartBFT judges options, batches and consenters as orderers do before they order the update.
func judgeSmartBFT(before, next *channelconfig.Bundle) error { return util.Check(before, next) }
