// SPDX-License-Identifier: Apache-2.0

package plugindispatcher

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"
	"github.com/stretchr/testify/require"

	commonerrors "github.com/hyperledger/fabric/common/errors"
)

// TestOrderOfNamespaces: a transaction is judged in the order of its namespaces, up to the first that refuses it.
func TestOrderOfNamespaces(t *testing.T) {
	var judged []string
	code, err := inEachNamespace(&common.Block{}, 0, map[string]bool{"c": true, "a": true, "b": true, "d": true}, func(namespace string) (peer.TxValidationCode, error) {
		judged = append(judged, namespace)
		if namespace == "c" {
			return peer.TxValidationCode_INVALID_CHAINCODE, errors.New("refused")
		}
		return peer.TxValidationCode_VALID, nil
	})
	require.EqualError(t, err, "refused")
	require.Equal(t, peer.TxValidationCode_INVALID_CHAINCODE, code)
	require.Equal(t, []string{"a", "b", "c"}, judged)
}

// TestFailuresOfThePeer: what a peer could not judge is told from what it refuses.
func TestFailuresOfThePeer(t *testing.T) {
	for _, err := range []error{&commonerrors.VSCCExecutionFailureError{Err: errors.New("disk")}, &commonerrors.VSCCInfoLookupFailureError{Reason: "disk"}} {
		require.Equal(t, err, failure(err))
	}
	for _, err := range []error{nil, errors.New("no such chaincode"), &commonerrors.VSCCEndorsementPolicyError{Err: errors.New("not endorsed")}} {
		require.NoError(t, failure(err))
	}
}
