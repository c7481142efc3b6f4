// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc/status"
)

// application runs transactions of the asset chaincode.
type application struct {
	contract *client.Contract
	out      io.Writer
}

// transact takes an asset through its life and returns the status of the last transaction.
func (a *application) transact(ctx context.Context, id string) (*client.Status, error) {
	var caller struct {
		MSPID        string `json:"mspId"`
		KeyAlgorithm string `json:"keyAlgorithm"`
	}
	if err := a.evaluate(ctx, &caller, "WhoAmI"); err != nil {
		return nil, err
	}
	fmt.Fprintf(a.out, "acting for %s with a key of type %s\n", caller.MSPID, caller.KeyAlgorithm)

	for _, step := range [][]string{
		{"CreateAsset", id, "blue", "5", "张三", "300"},
		{"UpdateAsset", id, "red", "6", "350"},
		{"TransferAsset", id, "李四", caller.MSPID},
	} {
		if _, err := a.submit(ctx, step[0], step[1:]...); err != nil {
			return nil, err
		}
	}
	var asset struct{ Color, Owner string }
	if err := a.evaluate(ctx, &asset, "ReadAsset", id); err != nil {
		return nil, err
	}
	fmt.Fprintf(a.out, "%s is %s and belongs to %s\n", id, asset.Color, asset.Owner)
	return a.submit(ctx, "DeleteAsset", id)
}

// submit runs a transaction and waits until it is committed. The wait is a separate step, so that a transaction which
// was ordered but whose commit is not known yet is told from one that failed: the first must not be sent again blindly.
func (a *application) submit(ctx context.Context, name string, args ...string) (*client.Status, error) {
	commit, err := a.order(ctx, name, args...)
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", name, err)
	}
	result, err := commit.StatusWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s was submitted as %s, its commit is unknown: %w", name, commit.TransactionID(), err)
	}
	if !result.Successful {
		return nil, fmt.Errorf("%s: transaction %s is in block %d and invalid: %s", name, result.TransactionID, result.BlockNumber, result.Code)
	}
	fmt.Fprintf(a.out, "%s committed in block %d\n", name, result.BlockNumber)
	return result, nil
}

// order has a transaction endorsed and ordered. Peers commit a block at different times, so that after a commit on one peer another may
// still endorse by the state before. Their endorsements differ then, and nothing was ordered: it is tried again.
func (a *application) order(ctx context.Context, name string, args ...string) (commit *client.Commit, err error) {
	for range endorseAttempts {
		_, commit, err = a.contract.SubmitAsyncWithContext(ctx, name, client.WithArguments(args...))
		if err == nil || !endorsementsDiffer(err) {
			return commit, err
		}
		select {
		case <-time.After(retryDelay):
		case <-ctx.Done():
			return nil, err
		}
	}
	return nil, err
}

// endorseAttempts bounds how often a transaction is sent for endorsement, with retryDelay between. Chaincode whose results differ from peer
// to peer gets no further by more.
const endorseAttempts = 6

func endorsementsDiffer(err error) bool {
	var endorse *client.EndorseError
	if !errors.As(err, &endorse) {
		return false
	}
	return slices.ContainsFunc(endorse.GRPCStatus().Details(), func(detail any) bool {
		of, ok := detail.(*gateway.ErrorDetail)
		return ok && of.GetMessage() == "ProposalResponsePayloads do not match"
	})
}

// evaluate runs a query and parses its result.
func (a *application) evaluate(ctx context.Context, into any, name string, args ...string) error {
	result, err := a.contract.EvaluateWithContext(ctx, name, client.WithArguments(args...))
	if err != nil {
		return fmt.Errorf("evaluate %s: %w", name, err)
	}
	if err := json.Unmarshal(result, into); err != nil {
		return fmt.Errorf("result of %s: %w", name, err)
	}
	return nil
}

// explain adds what peers and orderers said to an error. Errors of the submit flow print it by themselves; those of
// Evaluate carry it as details of the gRPC status.
func explain(err error) string {
	var flow *client.TransactionError
	if errors.As(err, &flow) {
		return err.Error()
	}
	var b strings.Builder
	b.WriteString(err.Error())
	for _, detail := range status.Convert(err).Details() {
		fmt.Fprintf(&b, "\n  - %v", detail)
	}
	return b.String()
}
