// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ob "github.com/hyperledger/fabric-protos-go/orderer"
	pb "github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
)

// Batch says when orderers cut a block. A zero leaves a limit as it is.
type Batch struct {
	Timeout           time.Duration // longest wait of a transaction for others
	MaxMessages       uint32        // most transactions in a block
	AbsoluteMaxBytes  uint32        // no transaction may be larger
	PreferredMaxBytes uint32        // a block is cut before it grows larger
}

// SetBatch changes when orderers cut a block.
func SetBatch(b Batch) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		group, err := organizations(root, true)
		if err != nil {
			return nil, err
		}
		var size ob.BatchSize
		if err := proto.Unmarshal(group.GetValues()[channelconfig.BatchSizeKey].GetValue(), &size); err != nil {
			return nil, errors.New("the channel's BatchSize cannot be decoded")
		}
		for _, limit := range []struct {
			field *uint32
			value uint32
		}{{&size.MaxMessageCount, b.MaxMessages}, {&size.AbsoluteMaxBytes, b.AbsoluteMaxBytes}, {&size.PreferredMaxBytes, b.PreferredMaxBytes}} {
			if limit.value != 0 {
				*limit.field = limit.value
			}
		}
		setValue(group, channelconfig.BatchSizeValue(size.MaxMessageCount, size.AbsoluteMaxBytes, size.PreferredMaxBytes))
		did := fmt.Sprintf("blocks of at most %d transactions and %d bytes (preferred %d)", size.MaxMessageCount, size.AbsoluteMaxBytes, size.PreferredMaxBytes)
		if b.Timeout < 0 {
			return nil, fmt.Errorf("a timeout of %v: it must be positive", b.Timeout)
		}
		if b.Timeout != 0 {
			setValue(group, channelconfig.BatchTimeoutValue(b.Timeout.String()))
			did += ", after " + b.Timeout.String()
		}
		return []string{did}, nil
	}
}

// SetPolicy sets the policy of that full name, such as /Channel/Application/Endorsement. The rule is that of configtx.yaml:
// "MAJORITY Endorsement", or "OR('BankMSP.admin')".
func SetPolicy(name, rule string) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		key := path.Base(name)
		group, err := groupAt(root, path.Dir(name))
		if err != nil {
			return nil, err
		}
		if !identifier.MatchString(key) {
			return nil, fmt.Errorf("%q is not the name of a policy", key)
		}
		kind := encoder.SignaturePolicyType
		if !strings.Contains(rule, "(") {
			kind = encoder.ImplicitMetaPolicyType
		}
		policy := &genesisconfig.Policy{Type: kind, Rule: rule}
		// The encoder makes policies only together with the three that every group has.
		made := &cb.ConfigGroup{Policies: map[string]*cb.ConfigPolicy{}}
		set := map[string]*genesisconfig.Policy{"Readers": policy, "Writers": policy, "Admins": policy, key: policy}
		if err := encoder.AddPolicies(made, set, channelconfig.AdminsPolicyKey); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fresh := made.Policies[key]
		if old := group.Policies[key]; old != nil {
			fresh.Version, fresh.ModPolicy = old.Version, old.ModPolicy
		}
		group.Policies[key] = fresh
		return []string{fmt.Sprintf("policy %s: %s", name, rule)}, nil
	}
}

// SetCapability turns a capability of a group on or off: GM_V1 of /Channel, see docs/upgrading.md.
func SetCapability(name, capability string, on bool) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		group, err := groupAt(root, name)
		if err != nil {
			return nil, err
		}
		var all cb.Capabilities
		if err := proto.Unmarshal(group.GetValues()[channelconfig.CapabilitiesKey].GetValue(), &all); err != nil {
			return nil, fmt.Errorf("the capabilities of %s cannot be decoded", name)
		}
		if all.Capabilities[capability] != nil == on {
			return nil, nil
		}
		set := map[string]bool{capability: on}
		for other := range all.Capabilities {
			if other != capability {
				set[other] = true
			}
		}
		setValue(group, channelconfig.CapabilitiesValue(set))
		return []string{fmt.Sprintf("capability %s of %s: %s", capability, name, map[bool]string{true: "on", false: "off"}[on])}, nil
	}
}

func anchorPeers(addresses []string) (peers []*pb.AnchorPeer, err error) {
	for _, address := range addresses {
		host, port, err := splitAddress(address)
		if err != nil {
			return nil, err
		}
		peers = append(peers, &pb.AnchorPeer{Host: host, Port: int32(port)})
	}
	return peers, nil
}
