// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/pkg/gmgateway"
	"google.golang.org/protobuf/proto"
)

// sign signs one of the three texts. It needs no network.
func sign(_ context.Context, s *step) error {
	if len(s.args) != 1 {
		return fmt.Errorf("sign takes one of %s, %s, %s", proposal, transaction, commit)
	}
	name := s.args[0]
	key, err := os.ReadFile(s.key)
	if err != nil {
		return fmt.Errorf("-key: %w", err)
	}
	signer, err := gmgateway.NewSigner(key)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	message, err := messageOf(name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(s.dir, name), err)
	}
	if err := describe(s.out, name, message); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(s.dir, name), err)
	}
	signature, err := signer.Sign(signer.Hash(message))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, name+".sig"), signature, 0o600)
}

// messageOf takes the bytes that are signed out of what the gateway client writes.
func messageOf(name string, text []byte) ([]byte, error) {
	switch name {
	case proposal:
		var proposed gateway.ProposedTransaction
		err := proto.Unmarshal(text, &proposed)
		return proposed.GetProposal().GetProposalBytes(), err
	case transaction:
		var prepared gateway.PreparedTransaction
		err := proto.Unmarshal(text, &prepared)
		return prepared.GetEnvelope().GetPayload(), err
	case commit:
		var request gateway.SignedCommitStatusRequest
		err := proto.Unmarshal(text, &request)
		return request.GetRequest(), err
	}
	return nil, fmt.Errorf("%q is none of %s, %s, %s", name, proposal, transaction, commit)
}

// describe prints what a message does.
func describe(out io.Writer, name string, message []byte) error {
	if name == commit {
		var request gateway.CommitStatusRequest
		if err := proto.Unmarshal(message, &request); err != nil {
			return err
		}
		// A proposal in this place would be read as a request with a strange id: both have their first two fields of one type.
		if id, err := hex.DecodeString(request.GetTransactionId()); err != nil || len(id) != sha256.Size {
			return fmt.Errorf("it asks for transaction %q, which is no id of a transaction", request.GetTransactionId())
		}
		fmt.Fprintf(out, "signing: is transaction %s on channel %s committed?\n", request.GetTransactionId(), request.GetChannelId())
		return nil
	}
	header, invocation, err := contents(name, message)
	if err != nil {
		return err
	}
	chaincode := invocation.GetChaincodeSpec().GetChaincodeId().GetName()
	if chaincode == "" {
		return errors.New("it calls no chaincode")
	}
	fmt.Fprintf(out, "signing %s %s on channel %s: chaincode %s", name, header.GetTxId(), header.GetChannelId(), chaincode)
	for _, arg := range invocation.GetChaincodeSpec().GetInput().GetArgs() {
		fmt.Fprintf(out, " %q", arg)
	}
	fmt.Fprintln(out)
	return nil
}

// contents reads what a proposal or a transaction calls. A transaction has the payload of its proposal in its one action.
func contents(name string, message []byte) (*common.ChannelHeader, *peer.ChaincodeInvocationSpec, error) {
	var channelHeader, called []byte
	if name == proposal {
		var p peer.Proposal
		var header common.Header
		if err := unmarshal(message, &p, p.GetHeader, &header); err != nil {
			return nil, nil, err
		}
		channelHeader, called = header.GetChannelHeader(), p.GetPayload()
	} else {
		var payload common.Payload
		var tx peer.Transaction
		if err := unmarshal(message, &payload, payload.GetData, &tx); err != nil {
			return nil, nil, err
		}
		if len(tx.GetActions()) != 1 {
			return nil, nil, fmt.Errorf("it has %d actions, and a transaction has one", len(tx.GetActions()))
		}
		var action peer.ChaincodeActionPayload
		if err := proto.Unmarshal(tx.GetActions()[0].GetPayload(), &action); err != nil {
			return nil, nil, err
		}
		channelHeader, called = payload.GetHeader().GetChannelHeader(), action.GetChaincodeProposalPayload()
	}
	var payload peer.ChaincodeProposalPayload
	header, invocation := &common.ChannelHeader{}, &peer.ChaincodeInvocationSpec{}
	if err := proto.Unmarshal(channelHeader, header); err != nil {
		return nil, nil, err
	}
	return header, invocation, unmarshal(called, &payload, payload.GetInput, invocation)
}

// unmarshal parses a message and then, within it, another.
func unmarshal(text []byte, outer proto.Message, field func() []byte, inner proto.Message) error {
	if err := proto.Unmarshal(text, outer); err != nil {
		return err
	}
	return proto.Unmarshal(field(), inner)
}
