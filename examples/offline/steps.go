// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric/pkg/gmgateway"
)

// The steps of the machine that has the network and not the key.

// online makes a step of what needs the connection of the profile.
func online(do func(context.Context, *step, *gmgateway.Connection) error) func(context.Context, *step) error {
	return func(ctx context.Context, s *step) error {
		gateway, err := gmgateway.Connect(s.profile)
		if err != nil {
			return err
		}
		defer gateway.Close()
		return do(ctx, s, gateway)
	}
}

func propose(ctx context.Context, s *step) error {
	if s.chaincode == "" || len(s.args) == 0 {
		return errors.New("propose needs -chaincode and the name of a function")
	}
	return online(newProposal)(ctx, s)
}

func newProposal(_ context.Context, s *step, gateway *gmgateway.Connection) error {
	contract := gateway.GetNetwork(s.channel).GetContract(s.chaincode)
	made, err := contract.NewProposal(s.args[0], client.WithArguments(s.args[1:]...))
	if err != nil {
		return err
	}
	return s.save(proposal, made)
}

func endorse(ctx context.Context, s *step, gateway *gmgateway.Connection) error {
	signed, err := load(s, proposal, gateway.NewSignedProposal)
	if err != nil {
		return err
	}
	endorsed, err := signed.EndorseWithContext(ctx)
	if err != nil {
		return fmt.Errorf("endorse: %w", err)
	}
	fmt.Fprintf(s.out, "result %s\n", endorsed.Result())
	return s.save(transaction, endorsed)
}

func evaluate(ctx context.Context, s *step, gateway *gmgateway.Connection) error {
	signed, err := load(s, proposal, gateway.NewSignedProposal)
	if err != nil {
		return err
	}
	result, err := signed.EvaluateWithContext(ctx)
	if err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	fmt.Fprintf(s.out, "%s\n", result)
	return nil
}

func submit(ctx context.Context, s *step, gateway *gmgateway.Connection) error {
	signed, err := load(s, transaction, gateway.NewSignedTransaction)
	if err != nil {
		return err
	}
	submitted, err := signed.SubmitWithContext(ctx)
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	return s.save(commit, submitted)
}

func status(ctx context.Context, s *step, gateway *gmgateway.Connection) error {
	signed, err := load(s, commit, gateway.NewSignedCommit)
	if err != nil {
		return err
	}
	result, err := signed.StatusWithContext(ctx)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	if !result.Successful {
		return fmt.Errorf("transaction %s is in block %d and invalid: %s", result.TransactionID, result.BlockNumber, result.Code)
	}
	fmt.Fprintf(s.out, "transaction %s committed in block %d\n", result.TransactionID, result.BlockNumber)
	return nil
}

func request(_ context.Context, s *step, gateway *gmgateway.Connection) error {
	network := gateway.GetNetwork(s.channel)
	switch {
	case len(s.args) == 1 && s.args[0] == string(blocks):
		made, err := network.NewBlockEventsRequest(client.WithStartBlock(s.start))
		if err != nil {
			return err
		}
		return s.save(blocks, made)
	case len(s.args) == 1 && s.args[0] == string(events) && s.chaincode != "":
		made, err := network.NewChaincodeEventsRequest(s.chaincode, client.WithStartBlock(s.start))
		if err != nil {
			return err
		}
		return s.save(events, made)
	}
	return fmt.Errorf("request takes %s, with -chaincode, or %s", events, blocks)
}

func follow(ctx context.Context, s *step, gateway *gmgateway.Connection) error {
	switch {
	case len(s.args) == 1 && s.args[0] == string(blocks):
		signed, err := load(s, blocks, gateway.NewSignedBlockEventsRequest)
		if err != nil {
			return err
		}
		return stream(ctx, s, signed.Events, func(block *common.Block) {
			fmt.Fprintf(s.out, "block %d with %d transactions\n", block.GetHeader().GetNumber(), len(block.GetData().GetData()))
		})
	case len(s.args) == 1 && s.args[0] == string(events):
		signed, err := load(s, events, gateway.NewSignedChaincodeEventsRequest)
		if err != nil {
			return err
		}
		return stream(ctx, s, signed.Events, func(event *client.ChaincodeEvent) {
			fmt.Fprintf(s.out, "event %s in block %d: %s\n", event.EventName, event.BlockNumber, event.Payload)
		})
	}
	return fmt.Errorf("follow takes %s or %s", events, blocks)
}

// stream shows events, as many as the caller asks for. The stream of a request whose signature is refused ends without one.
func stream[T any, O any](ctx context.Context, s *step, open func(context.Context, ...O) (<-chan T, error), show func(T)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	received, err := open(ctx)
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	for seen := 0; s.count == 0 || seen < s.count; seen++ {
		event, more := <-received
		switch {
		case more:
			show(event)
		case ctx.Err() != nil && s.count == 0:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("follow: %d of %d events: %w", seen, s.count, ctx.Err())
		default:
			return errors.New("follow: the peer ended the stream: the signature may not be valid; the peer's log says why")
		}
	}
	return nil
}
