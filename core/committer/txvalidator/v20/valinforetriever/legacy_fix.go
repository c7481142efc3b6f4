// SPDX-License-Identifier: Apache-2.0

package valinforetriever

import (
	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric/core/common/ccprovider"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/pkg/errors"
)

// legacyInfo asks the lifecycle of before V2_0. What a member had put there below V2_0 and nobody can read is a fault of the transaction that
// needs it, as it is to the validator of before V2_0, and not of the peer.
func (v *ValidationInfoRetrieveShim) legacyInfo(channelID, name string, qe ledger.SimpleQueryExecutor) (plugin string, args []byte, unexpectedErr error, validationErr error) {
	plugin, args, unexpectedErr, validationErr = v.Legacy.ValidationInfo(channelID, name, qe)
	if unexpectedErr == nil || qe == nil {
		return plugin, args, unexpectedErr, validationErr
	}
	state, err := qe.GetState("lscc", name)
	if err != nil || state == nil {
		return plugin, args, unexpectedErr, validationErr
	}
	if err := proto.Unmarshal(state, &ccprovider.ChaincodeData{}); err != nil {
		return "", nil, nil, errors.Wrapf(err, "the definition of chaincode %s cannot be read", name)
	}
	return plugin, args, unexpectedErr, validationErr
}
