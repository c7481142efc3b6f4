// SPDX-License-Identifier: Apache-2.0

package txvalidator_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	txvalidatorv14 "github.com/hyperledger/fabric/core/committer/txvalidator/v14"
	"github.com/hyperledger/fabric/core/common/validation/validationtest"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/internal/pkg/txflags"
	"github.com/hyperledger/fabric/protoutil"
)

func init() { channelhash.Set("", protoutil.HashSHA256) } // the channel of upstream's tests

// TestProposalHashOfChannel: a block's transactions are judged by the function of the validator's channel. Without it, there is no
// verdict.
func TestProposalHashOfChannel(t *testing.T) {
	channelhash.Set("sm3-channel", protoutil.HashSM3)
	l, validator, cleanup := setupLedgerAndValidatorWithV13Capabilities(t)
	defer cleanup()
	v := validator.(*txvalidatorv14.TxValidator)
	putCCInfo(l, "mycc", signedByAnyMember([]string{"SampleOrg"}), t)
	bySHA256 := getEnv("mycc", nil, createRWset(t, "mycc"), t)
	block := &common.Block{Header: &common.BlockHeader{Number: 2}, Data: &common.BlockData{Data: [][]byte{
		protoutil.MarshalOrPanic(bySHA256), protoutil.MarshalOrPanic(validationtest.WithSM3(t, signer, getEnv("mycc", nil, createRWset(t, "mycc"), t))),
	}}}
	for channel, expected := range map[string][2]peer.TxValidationCode{
		"":            {peer.TxValidationCode_VALID, peer.TxValidationCode_INVALID_ENDORSER_TRANSACTION},
		"sm3-channel": {peer.TxValidationCode_INVALID_ENDORSER_TRANSACTION, peer.TxValidationCode_VALID},
	} {
		v.ChannelID, block.Metadata = channel, nil
		require.NoError(t, v.Validate(block))
		flags := txflags.ValidationFlags(block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER])
		require.Equal(t, expected, [2]peer.TxValidationCode{flags.Flag(0), flags.Flag(1)}, "channel %q", channel)
	}
	v.ChannelID, block.Metadata = "not open", nil
	require.ErrorContains(t, v.Validate(block), `the hash function of channel "not open" is not known`)
	require.Nil(t, block.Metadata)
}
