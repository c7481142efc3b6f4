// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// HashingAlgorithmOf returns the value of a channel's configuration that says by which algorithm its blocks are hashed.
// An empty name is SHA256.
func HashingAlgorithmOf(name string) *StandardConfigValue {
	value := HashingAlgorithmValue()
	if name != "" {
		value.value = &cb.HashingAlgorithm{Name: name}
	}
	return value
}

// CheckHashingAlgorithm refuses a name that no node knows, and SM3 without the capability by which nodes that cannot hash with it
// stay away.
func CheckHashingAlgorithm(name string, hasCapability bool) error {
	switch name {
	case bccsp.SHA256, bccsp.SHA3_256: // upstream accepts both and hashes with SHA-256 in either case
		return nil
	case bccsp.SM3:
		if !hasCapability {
			return fmt.Errorf("HashingAlgorithm SM3 needs the channel's capability %s; put %s: true into the Capabilities of the channel's profile",
				capabilities.ChannelGMV2, capabilities.ChannelGMV2)
		}
		return nil
	default:
		return fmt.Errorf("unknown HashingAlgorithm %q; SHA256 and SM3 are known", name)
	}
}

// validateHashingAlgorithm accepts SM3 where the channel has the capability for it.
//
//fork:wrap gm: channels whose blocks are hashed with SM3
func (cc *ChannelConfig) validateHashingAlgorithm() error {
	if cc.protos.HashingAlgorithm.Name != bccsp.SM3 {
		return cc.upstreamValidateHashingAlgorithm()
	}
	_, has := cc.protos.Capabilities.Capabilities[capabilities.ChannelGMV2]
	if err := CheckHashingAlgorithm(bccsp.SM3, has); err != nil {
		return err
	}
	cc.hashingAlgorithm = func(input []byte) []byte {
		sum := sm3.Sum(input)
		return sum[:]
	}
	return nil
}

// NewChannelConfig reads the configuration of a channel.
//
//fork:wrap gm: a system channel cannot hash with SM3
func NewChannelConfig(channelGroup *cb.ConfigGroup, csp bccsp.BCCSP) (*ChannelConfig, error) {
	cc, err := upstreamNewChannelConfig(channelGroup, csp)
	if err != nil {
		return nil, err
	}
	// What a system channel's orderer makes for a new channel is hashed before the new channel's configuration is known.
	if cc.consortiumsConfig != nil && cc.hashing() == bccsp.SM3 {
		return nil, errors.New("a system channel cannot have HashingAlgorithm SM3; create channels with osnadmin, without a system channel")
	}
	return cc, nil
}

// ValidateNew refuses a configuration that the current one must not become.
//
//fork:wrap gm: the algorithm of a chain is that of its first block
func (b *Bundle) ValidateNew(nb Resources) error {
	if next, ok := nb.ChannelConfig().(*ChannelConfig); ok {
		from, to := b.channelConfig.hashing(), next.hashing()
		if from != to && (from == bccsp.SM3 || to == bccsp.SM3) {
			return fmt.Errorf("attempted to change HashingAlgorithm from %s to %s; it is fixed by the first block, make a new channel", from, to)
		}
	}
	return b.upstreamValidateNew(nb)
}

func (cc *ChannelConfig) hashing() string {
	if cc == nil || cc.protos == nil {
		return ""
	}
	return cc.protos.HashingAlgorithm.GetName()
}
