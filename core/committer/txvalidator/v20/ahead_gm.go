// SPDX-License-Identifier: Apache-2.0

//fork:file perf: large SM2 messages of a block are hashed together, and remembered as verified

package txvalidator

import (
	"slices"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// aheadAtMost bounds in bytes the messages of a block that are kept for it, as a transaction may repeat an endorsement
// over a large response as often as a block has room.
const aheadAtMost = 32 << 20

// Validate validates the transactions of a block as upstream does, after it has verified the SM2 signatures over large
// messages together.
//
//fork:wrap perf: large SM2 messages of a block are hashed together, which upstream's verifications, one by one, then find verified
func (v *TxValidator) Validate(block *common.Block) error {
	defer sw.VerifyAhead(largeMessages(block, v.ChannelResources.MSPManager()))()
	return v.upstreamValidate(block)
}

// largeMessages returns the signatures over large messages in a block. What cannot be read is left to the validation.
func largeMessages(block *common.Block, identities msp.IdentityDeserializer) (list []gm.Signed) {
	size := 0
	add := func(by, message, signature []byte) (more bool) {
		if size += len(message); size > aheadAtMost {
			return false
		}
		if id, err := identities.DeserializeIdentity(by); err == nil {
			if key := msp.VerificationKey(id); key != nil {
				list = append(list, gm.Signed{Key: key, Message: message, Signature: signature})
			}
		}
		return true
	}
	for _, data := range block.Data.GetData() {
		if len(data) < sw.AheadFrom {
			continue
		}
		env, err := protoutil.GetEnvelopeFromBlock(data)
		if err != nil {
			continue
		}
		payload, err := protoutil.UnmarshalPayload(env.Payload)
		if err != nil {
			continue
		}
		if header, err := protoutil.UnmarshalSignatureHeader(payload.GetHeader().GetSignatureHeader()); err == nil {
			add(header.Creator, env.Payload, env.Signature)
		}
		addEndorsements(payload, add)
	}
	return list
}

// addEndorsements adds those of an endorser transaction. An endorsement signs the proposal's response and its endorser.
func addEndorsements(payload *common.Payload, add func(by, message, signature []byte) (more bool)) {
	channel, err := protoutil.UnmarshalChannelHeader(payload.GetHeader().GetChannelHeader())
	if err != nil || common.HeaderType(channel.Type) != common.HeaderType_ENDORSER_TRANSACTION {
		return
	}
	tx, err := protoutil.UnmarshalTransaction(payload.Data)
	if err != nil || len(tx.Actions) != 1 { // validation refuses other numbers
		return
	}
	p, err := protoutil.UnmarshalChaincodeActionPayload(tx.Actions[0].GetPayload())
	if err != nil {
		return
	}
	response := p.GetAction().GetProposalResponsePayload()
	if len(response) < sw.AheadFrom {
		return
	}
	for _, e := range p.GetAction().GetEndorsements() {
		if !add(e.GetEndorser(), slices.Concat(response, e.GetEndorser()), e.GetSignature()) {
			return
		}
	}
}
