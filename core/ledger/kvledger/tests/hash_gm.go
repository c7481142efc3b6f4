// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/protoutil"
)

// ledgersHashWith is the function of the ledgers that tests make.
var ledgersHashWith = protoutil.HashSHA256

// constructTestGenesisBlock returns the first block of a ledger.
//
//fork:wrap gm: upstream's tests of ledgers run with SM3 too
func constructTestGenesisBlock(channelID string) (*common.Block, error) {
	block, err := upstreamConstructTestGenesisBlock(channelID)
	if err != nil || ledgersHashWith == protoutil.HashSHA256 {
		return block, err
	}
	envelope, err := protoutil.UnmarshalEnvelope(block.Data.Data[0])
	if err != nil {
		return nil, err
	}
	payload, err := protoutil.UnmarshalPayload(envelope.Payload)
	if err != nil {
		return nil, err
	}
	config := &common.ConfigEnvelope{}
	if _, err := protoutil.UnmarshalEnvelopeOfType(envelope, common.HeaderType_CONFIG, config); err != nil {
		return nil, err
	}
	named := protoutil.MarshalOrPanic(&common.HashingAlgorithm{Name: protoutil.SM3})
	config.Config.ChannelGroup.Values["HashingAlgorithm"].Value = named
	payload.Data = protoutil.MarshalOrPanic(config)
	envelope.Payload = protoutil.MarshalOrPanic(payload)
	block.Data.Data[0] = protoutil.MarshalOrPanic(envelope)
	block.Header.DataHash = protoutil.ChannelDataHash(block.Header, block.Data)
	return block, nil
}
