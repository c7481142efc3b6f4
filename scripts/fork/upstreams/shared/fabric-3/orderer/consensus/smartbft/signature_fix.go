// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/protoutil"
)

const (
	maxIdentifierHeader = 64   // a number, and a nonce of 24 bytes
	maxSignatureValue   = 4096 // of any algorithm
)

// VerifyConsenterSig also requires the bytes that an honest consenter signs. A block has one copy of them: that of the vote that came first,
// and none of the other signatures verifies if it has another form. Votes are kept with the last decision, and sent in each change of the view.
//
//fork:wrap fix: a vote of one lying consenter can neither make a decided block one that nobody can verify, nor too long to be sent
func (v *Verifier) VerifyConsenterSig(signature types.Signature, proposal types.Proposal) ([]byte, error) {
	aux, err := v.upstreamVerifyConsenterSig(signature, proposal)
	if err != nil {
		return nil, err
	}
	if err := checkSignatureForm(signature, proposal); err != nil {
		return nil, fmt.Errorf("no honest consenter signs so: %w", err)
	}
	return aux, nil
}

func checkSignatureForm(signature types.Signature, proposal types.Proposal) error {
	signed, tuple, metadata := &Signature{}, &ByteBufferTuple{}, &cb.BlockMetadata{}
	if err := errors.Join(signed.Unmarshal(signature.Msg), tuple.FromBytes(proposal.Payload)); err != nil {
		return err
	}
	if err := proto.Unmarshal(tuple.B, metadata); err != nil {
		return err
	}
	proposed, err := protoutil.GetMetadataFromBlock(&cb.Block{Metadata: metadata}, cb.BlockMetadataIndex_SIGNATURES)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(signed.OrdererBlockMetadata, proposed.Value):
		return errors.New("the metadata of the block have another form than in the proposal")
	case !bytes.Equal(signed.Marshal(), signature.Msg):
		return errors.New("there are bytes after what is signed, or it has another form")
	case len(signed.IdentifierHeader) > maxIdentifierHeader || len(signature.Value) > maxSignatureValue:
		return fmt.Errorf("its identifier header has %d bytes, and its value %d", len(signed.IdentifierHeader), len(signature.Value))
	}
	return nil
}
