// SPDX-License-Identifier: Apache-2.0

package v20

import "github.com/hyperledger/fabric/core/common/validation/statebased"

// Translate makes of a parameter that is no policy an error of the parameter. Chaincode can set any bytes, and neither endorsers nor
// validation look at them before somebody writes to the key.
//
//fork:wrap fix: a validation parameter that is no policy is told from a failure of the peer
func (n *toApplicationPolicyTranslator) Translate(b []byte) ([]byte, error) {
	policy, err := n.upstreamTranslate(b)
	if err != nil {
		return nil, &statebased.UnreadableParameterError{Reason: err.Error()}
	}
	return policy, nil
}
