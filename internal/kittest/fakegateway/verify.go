// SPDX-License-Identifier: Apache-2.0

package fakegateway

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/pem"
	"math/big"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	tjsm2 "github.com/tjfoc/gmsm/sm2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// verify checks the signature of a serialized identity over a message: SM2 over SM3(Z || message) with the default user
// id, or ECDSA over SHA-256 with the lower S.
func verify(identity, message, signature []byte) error {
	id := &msp.SerializedIdentity{}
	if err := proto.Unmarshal(identity, id); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	block, _ := pem.Decode(id.GetIdBytes())
	if block == nil || id.GetMspid() == "" {
		return status.Error(codes.InvalidArgument, "the identity is not a certificate of an MSP")
	}
	cert, err := gmx509.ParseCertificate(block.Bytes)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return status.Errorf(codes.InvalidArgument, "a key of type %T", cert.PublicKey)
	}
	if gmx509.IsSM2(key) {
		ok = (&tjsm2.PublicKey{Curve: tjsm2.P256Sm2(), X: key.X, Y: key.Y}).Verify(message, signature)
	} else {
		digest := sha256.Sum256(message)
		ok = ecdsa.VerifyASN1(key, digest[:], signature) && lowS(key, signature)
	}
	if !ok {
		return status.Error(codes.PermissionDenied, "the signature is not valid")
	}
	return nil
}

func lowS(key *ecdsa.PublicKey, signature []byte) bool {
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &rs); err != nil {
		return false
	}
	return rs.S.Cmp(new(big.Int).Rsh(key.Params().N, 1)) <= 0
}

// openProposal checks a signed proposal and takes out what a peer runs.
func openProposal(signed *peer.SignedProposal, txID string) (*peer.Proposal, fakepeer.Request, error) {
	none := fakepeer.Request{}
	proposal, header := &peer.Proposal{}, &common.Header{}
	channel, signer := &common.ChannelHeader{}, &common.SignatureHeader{}
	payload, spec := &peer.ChaincodeProposalPayload{}, &peer.ChaincodeInvocationSpec{}
	for _, step := range []struct {
		bytes func() []byte
		into  proto.Message
	}{
		{signed.GetProposalBytes, proposal},
		{proposal.GetHeader, header},
		{header.GetChannelHeader, channel},
		{header.GetSignatureHeader, signer},
		{proposal.GetPayload, payload},
		{payload.GetInput, spec},
	} {
		if err := proto.Unmarshal(step.bytes(), step.into); err != nil {
			return nil, none, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	if err := verify(signer.GetCreator(), signed.GetProposalBytes(), signed.GetSignature()); err != nil {
		return nil, none, err
	}
	if channel.GetTxId() != txID || channel.GetChannelId() != fakepeer.Channel {
		return nil, none, status.Errorf(codes.InvalidArgument, "proposal for channel %q, transaction %q", channel.GetChannelId(), channel.GetTxId())
	}
	request := fakepeer.Request{TxID: txID, Creator: signer.GetCreator(), Transient: payload.GetTransientMap()}
	for _, arg := range spec.GetChaincodeSpec().GetInput().GetArgs() {
		request.Args = append(request.Args, string(arg))
	}
	return proposal, request, nil
}

// openEnvelope checks the signature of an envelope and returns its payload.
func openEnvelope(envelope *common.Envelope) (*common.Payload, error) {
	payload, signer := &common.Payload{}, &common.SignatureHeader{}
	if err := proto.Unmarshal(envelope.GetPayload(), payload); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), signer); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return payload, verify(signer.GetCreator(), envelope.GetPayload(), envelope.GetSignature())
}
