// SPDX-License-Identifier: Apache-2.0

package txvalidator

import (
	"errors"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
)

type marks struct {
	channelconfig.ApplicationCapabilities
	codes []pb.TxValidationCode
	err   error
}

func (m marks) Capabilities() channelconfig.ApplicationCapabilities { return m }
func (m marks) V2_0Validation() bool                                { return true }

func (m marks) Validate(block *common.Block) error {
	block.Metadata = &common.BlockMetadata{Metadata: make([][]byte, len(common.BlockMetadataIndex_name))}
	for _, code := range m.codes {
		at := common.BlockMetadataIndex_TRANSACTIONS_FILTER
		block.Metadata.Metadata[at] = append(block.Metadata.Metadata[at], byte(code))
	}
	return m.err
}

func TestRefusedTransactionsAreRecorded(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	validate := func(m marks) error {
		lines.Reset()
		return (&ValidationRouter{CapabilityProvider: m, V20Validator: m}).Validate(&common.Block{Header: &common.BlockHeader{Number: 7}})
	}
	require.NoError(t, validate(marks{codes: []pb.TxValidationCode{pb.TxValidationCode_VALID, pb.TxValidationCode_MVCC_READ_CONFLICT}}))
	require.Empty(t, lines.Entries(), "a conflict is honest")
	require.NoError(t, validate(marks{codes: []pb.TxValidationCode{
		pb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, pb.TxValidationCode_VALID,
		pb.TxValidationCode_BAD_CREATOR_SIGNATURE, pb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE,
	}}))
	require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=transactions-refused block=7 code=BAD_CREATOR_SIGNATURE transactions=1")
	require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=transactions-refused block=7 code=ENDORSEMENT_POLICY_FAILURE transactions=2")
	stopped := errors.New("stopped")
	require.Equal(t, stopped, validate(marks{err: stopped}))
	require.Empty(t, lines.Entries())
}
