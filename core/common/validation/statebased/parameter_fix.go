// SPDX-License-Identifier: Apache-2.0

package statebased

import (
	"github.com/pkg/errors"

	commonerrors "github.com/hyperledger/fabric/common/errors"
	"github.com/hyperledger/fabric/protoutil"
)

// UnreadableParameterError says that the state has a validation parameter of a key that is no policy. It has no Cause, so that
// errors.Cause ends here.
type UnreadableParameterError struct {
	Reason string
}

// Error returns the reason.
func (e *UnreadableParameterError) Error() string {
	return "the validation parameter of the key is no policy: " + e.Reason
}

// checkSBAndCCEP takes an unreadable parameter for a policy that nobody satisfies. It is in the state of every peer, so it is no failure of
// this one, at which the channel would have to stop.
//
//fork:wrap fix: a key whose validation parameter is no policy makes a transaction that writes to it invalid; it stopped every peer at that block (upstream issue 3105)
func (p *baseEvaluator) checkSBAndCCEP(cc, coll, key string, blockNum, txNum uint64, signatureSet []*protoutil.SignedData) commonerrors.TxValidationError {
	err := p.judgeOnce(cc, coll, key, blockNum, txNum, signatureSet)
	if failure, ok := err.(*commonerrors.VSCCExecutionFailureError); ok {
		var unreadable *UnreadableParameterError
		if errors.As(failure.Err, &unreadable) {
			return policyErr(unreadable)
		}
	}
	return err
}
