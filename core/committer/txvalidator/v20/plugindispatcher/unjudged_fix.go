// SPDX-License-Identifier: Apache-2.0

package plugindispatcher

import (
	"maps"
	"slices"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"

	commonerrors "github.com/hyperledger/fabric/common/errors"
	"github.com/hyperledger/fabric/core/common/validation/statebased"
)

// inEachNamespace judges a transaction in one namespace after another, in their order, until one refuses it. Then it leaves the others to
// whoever depends on them.
func inEachNamespace(block *common.Block, tx int, namespaces map[string]bool, judge func(namespace string) (peer.TxValidationCode, error)) (peer.TxValidationCode, error) {
	for _, namespace := range slices.Sorted(maps.Keys(namespaces)) {
		if code, err := judge(namespace); err != nil {
			statebased.LeaveToJudge(block, tx, func(namespace string) error {
				_, err := judge(namespace)
				return failure(err)
			})
			return code, err
		}
	}
	return peer.TxValidationCode_VALID, nil
}

// failure returns err if it is one of the peer, at which upstream commits no block.
func failure(err error) error {
	switch err.(type) { //nolint:errorlint // upstream decides by the same two types, and not by what they may be wrapped in
	case *commonerrors.VSCCExecutionFailureError, *commonerrors.VSCCInfoLookupFailureError:
		return err
	}
	return nil
}
