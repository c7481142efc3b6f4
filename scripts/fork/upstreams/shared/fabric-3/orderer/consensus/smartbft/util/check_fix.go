// SPDX-License-Identifier: Apache-2.0

package util

import (
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/smartbft"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/consenter"
	"github.com/hyperledger/fabric/common/crypto"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/msp"
)

// largestMessage is what a node sends to another by default: comm.DefaultMaxSendMsgSize.
const largestMessage = 100 << 20

// Check judges the configuration that a channel of SmartBFT is to have, before an update is ordered and before a first block makes a
// channel. After a configuration that it refuses, each consenter would end, at each start again, or the channel would stand still for ever.
// The present configuration is nil for a first block, whose size of blocks is left to CheckFirstSize.
func Check(present, next channelconfig.Resources) error {
	orderers := smartBFT(next)
	if orderers == nil {
		return nil
	}
	was := smartBFT(present)
	if err := checkOptions(was, orderers); err != nil {
		return fmt.Errorf("the options of SmartBFT: %w", err)
	}
	if err := checkConsenters(orderers.Consenters(), next.MSPManager()); err != nil {
		return err
	}
	if present == nil {
		return nil
	}
	return checkViewChange(was, orderers)
}

// CheckFirstSize says whether a change of the view fits into a message in a channel that starts with this configuration. Orderers join
// channels that live with larger blocks, such as those of upstream's test network, so this is no reason to refuse a first block.
func CheckFirstSize(first channelconfig.Resources) error {
	if orderers := smartBFT(first); orderers != nil {
		return checkViewChange(nil, orderers)
	}
	return nil
}

func smartBFT(config channelconfig.Resources) channelconfig.Orderer {
	if config == nil {
		return nil
	}
	if orderers, ok := config.OrdererConfig(); ok && orderers.ConsensusType() == "BFT" {
		return orderers
	}
	return nil
}

// options reads the options as a consenter does.
func options(orderers channelconfig.Orderer) (*smartbft.Options, error) {
	o := &smartbft.Options{}
	if orderers == nil {
		return o, nil
	}
	err := proto.Unmarshal(orderers.ConsensusMetadata(), o)
	o.RequestBatchMaxCount = uint64(orderers.BatchSize().GetMaxMessageCount())
	o.RequestBatchMaxBytes = uint64(orderers.BatchSize().GetAbsoluteMaxBytes())
	return o, err
}

// checkOptions asks the library, and once more after the options are complete. No channel lives with options that the library refuses. One
// that lives with a number beyond the bounds here may keep it.
func checkOptions(present, next channelconfig.Orderer) error {
	is, err := options(next)
	if err != nil {
		return err
	}
	config, err := ConfigFromMetadataOptions(1, is)
	if err != nil {
		return err
	}
	if err := config.Validate(); err != nil {
		return fmt.Errorf("%w (RequestMaxBytes is %d, AbsoluteMaxBytes of BatchSize is %d)", err, config.RequestMaxBytes, config.RequestBatchMaxBytes)
	}
	was, err := options(present)
	if err != nil {
		was = &smartbft.Options{}
	}
	for _, number := range []struct {
		name          string
		was, is, most uint64
	}{
		{"IncomingMessageBufferSize", was.IncomingMessageBufferSize, is.IncomingMessageBufferSize, 10000}, // allocated at once, for each view
		{"RequestPoolSize", was.RequestPoolSize, is.RequestPoolSize, 10_000_000},                          // a pool takes nothing if the size overflows
		{"LeaderHeartbeatCount", was.LeaderHeartbeatCount, is.LeaderHeartbeatCount, 10000},                // multiplied with a duration
	} {
		if number.is > number.most && number.is > number.was {
			return fmt.Errorf("%s (%d) must be at most %d", number.name, number.is, number.most)
		}
	}
	return nil
}

func checkConsenters(all []*cb.Consenter, manager msp.MSPManager) error {
	msps, err := manager.GetMSPs()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("the channel has no consenter")
	}
	seen := map[uint32]bool{0: true}
	for _, c := range all {
		err := CheckConsenter(c)
		switch {
		case seen[c.GetId()]:
			err = errors.New("its id must not be 0, nor that of another consenter")
		case msps[c.GetMspId()] == nil:
			err = fmt.Errorf("the channel has no MSP %q", c.GetMspId())
		}
		if err != nil {
			return fmt.Errorf("consenter %d (%s:%d): %w", c.GetId(), c.GetHost(), c.GetPort(), err)
		}
		seen[c.GetId()] = true
	}
	return nil
}

// CheckConsenter judges the certificates of a consenter. With one that cannot be read, or with the encryption certificate of a TLCP pair,
// orderers could not apply the configuration any more once it is ordered.
func CheckConsenter(c *cb.Consenter) error {
	if _, err := crypto.SanitizeX509Cert(c.GetIdentity()); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	for _, field := range []struct {
		name string
		pem  []byte
	}{{"client_tls_cert", c.GetClientTlsCert()}, {"server_tls_cert", c.GetServerTlsCert()}} {
		blocks := consenter.IdentityCertificates(field.pem)
		if len(blocks) == 0 {
			return fmt.Errorf("%s: it holds no certificate in PEM", field.name)
		}
		if err := consenter.Check(blocks[0]); err != nil {
			return fmt.Errorf("%s: %w", field.name, err)
		}
	}
	return nil
}

// checkViewChange refuses a step to blocks that are too large, or consenters that are too many, for a change of the view. A channel that
// is beyond the limit already may come closer to it.
func checkViewChange(present, next channelconfig.Orderer) error {
	most, quorum := viewChange(next)
	if most <= largestMessage {
		return nil
	}
	if present != nil {
		if was, _ := viewChange(present); most <= was {
			return nil
		}
	}
	return fmt.Errorf("a change of the view could need a message of %d bytes, and nodes send at most %d: with %d consenters, AbsoluteMaxBytes of BatchSize may be at most %d, and it is %d",
		most, largestMessage, len(next.Consenters()), (largestMessage/(2*quorum)-aroundBlock)/(smallestTransaction+aroundTransaction)*smallestTransaction, next.BatchSize().GetAbsoluteMaxBytes())
}

// Bytes around a transaction in a block, around a block in a view change, and of the smallest transaction that can be verified.
const (
	aroundTransaction   = 5
	aroundBlock         = 64 << 10
	smallestTransaction = 128
)

// viewChange is the largest message by which a new leader proves its view: of a quorum of consenters the last block and the one in flight.
func viewChange(orderers channelconfig.Orderer) (most, quorum uint64) {
	n := len(orderers.Consenters())
	if n == 1 { // it proves nothing to anybody
		return 0, 1
	}
	quorum = uint64(policies.ComputeBFTQuorum(n, (n-1)/3))
	size := orderers.BatchSize()
	block := uint64(size.GetAbsoluteMaxBytes())
	block += aroundTransaction*min(uint64(size.GetMaxMessageCount()), block/smallestTransaction) + aroundBlock
	return 2 * quorum * block, quorum
}
