// SPDX-License-Identifier: Apache-2.0

package multichannel

import cb "github.com/hyperledger/fabric-protos-go-apiv2/common"

// contentJudge is a chain whose consensus refuses some envelopes for what they are.
type contentJudge interface {
	JudgeContent(env *cb.Envelope) error
}

func (cs *ChainSupport) judgeContent(env *cb.Envelope) error {
	if judge, ok := cs.Chain.(contentJudge); ok {
		return judge.JudgeContent(env)
	}
	return nil
}

// ProcessNormalMsg judges an envelope of a client by the channel's filters, and then by its consensus. What is refused here is a bad
// request; an error of Order asks the client to try again.
func (cs *ChainSupport) ProcessNormalMsg(env *cb.Envelope) (uint64, error) {
	seq, err := cs.Processor.ProcessNormalMsg(env)
	if err == nil {
		err = cs.judgeContent(env)
	}
	return seq, err
}

// ProcessConfigUpdateMsg judges the configuration that an update makes as ProcessNormalMsg does an envelope.
func (cs *ChainSupport) ProcessConfigUpdateMsg(env *cb.Envelope) (*cb.Envelope, uint64, error) {
	config, seq, err := cs.Processor.ProcessConfigUpdateMsg(env)
	if err == nil {
		err = cs.judgeContent(config)
	}
	return config, seq, err
}
