// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// retryDelay is the pause before a stream that broke is opened again, or a transaction endorsed again.
const retryDelay = 500 * time.Millisecond

// claimLimit ends the wait for a channel's first block.
const claimLimit = 15 * time.Second

// followers read two streams: the events of a chaincode, and blocks. What they handled they put down in a file each, so
// that after a restart they continue with the first event that was not handled.
type followers struct {
	chaincode, blocks *client.FileCheckpointer

	transactions chan string // of chaincode events that were handled
	numbers      chan uint64 // of blocks that were handled
	failed       chan error
	running      int // followers that have not reported to failed
}

// follow starts both streams: at the checkpoints in folder, or at block 0 where there are none yet.
func follow(ctx context.Context, network *client.Network, chaincode, folder string, out io.Writer) (*followers, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder for checkpoints: %w", err)
	}
	if err := claim(ctx, network, folder, out); err != nil {
		return nil, err
	}
	f := &followers{transactions: make(chan string), numbers: make(chan uint64), failed: make(chan error, 2), running: 2}
	var err error
	if f.chaincode, err = open(folder, "chaincode-events.json"); err != nil {
		return nil, err
	}
	if f.blocks, err = open(folder, "blocks.json"); err != nil {
		return nil, errors.Join(err, f.chaincode.Close())
	}
	go func() {
		f.failed <- stream(ctx, out, func() (<-chan *client.ChaincodeEvent, error) {
			return network.ChaincodeEvents(ctx, chaincode, client.WithStartBlock(0), client.WithCheckpoint(f.chaincode))
		}, func(event *client.ChaincodeEvent) error {
			fmt.Fprintf(out, "event %s in block %d: %s\n", event.EventName, event.BlockNumber, event.Payload)
			if err := f.chaincode.CheckpointChaincodeEvent(event); err != nil {
				return fmt.Errorf("checkpoint: %w", err)
			}
			return report(ctx, f.transactions, event.TransactionID)
		})
	}()
	go func() {
		f.failed <- stream(ctx, out, func() (<-chan *common.Block, error) {
			return network.BlockEvents(ctx, client.WithStartBlock(0), client.WithCheckpoint(f.blocks))
		}, func(block *common.Block) error {
			number := block.GetHeader().GetNumber()
			fmt.Fprintf(out, "block %d with %d transactions, data hash %x\n", number, len(block.GetData().GetData()), block.GetHeader().GetDataHash())
			if err := f.blocks.CheckpointBlock(number); err != nil {
				return fmt.Errorf("checkpoint: %w", err)
			}
			return report(ctx, f.numbers, number)
		})
	}()
	return f, nil
}

// claim ties the checkpoints in folder to a channel by its first block. Those of a network that is gone would wait for blocks that never
// come, or skip the first ones of its successor.
func claim(ctx context.Context, network *client.Network, folder string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, claimLimit)
	defer cancel()
	hash, seen := sha256.New(), errors.New("seen")
	err := stream(ctx, out, func() (<-chan *common.Block, error) {
		return network.BlockEvents(ctx, client.WithStartBlock(0))
	}, func(first *common.Block) error {
		for _, envelope := range first.GetData().GetData() {
			hash.Write(envelope)
		}
		return seen
	})
	if !errors.Is(err, seen) {
		return fmt.Errorf("first block of %s: %w", network.Name(), err)
	}
	own := fmt.Sprintf("%x\n", hash.Sum(nil))
	file := filepath.Join(folder, "first-block.sha256")
	known, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.WriteFile(file, []byte(own), 0o600)
	case err == nil && string(known) != own:
		return fmt.Errorf("the checkpoints in %s are of another network: remove them, or name another folder with -checkpoints", folder)
	}
	if err != nil {
		return fmt.Errorf("checkpoints: %w", err)
	}
	return nil
}

func open(folder, name string) (*client.FileCheckpointer, error) {
	checkpointer, err := client.NewFileCheckpointer(filepath.Join(folder, name))
	if err != nil {
		return nil, fmt.Errorf("checkpoint file %s: %w", name, err)
	}
	return checkpointer, nil
}

func report[T any](ctx context.Context, to chan<- T, value T) error {
	select {
	case to <- value:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stream hands events to handle until ctx ends or handle fails. A channel of events is closed without a reason when its
// stream breaks, say because the peer restarts; it is then opened again at the checkpoint, as often as it takes. If the
// stream breaks before the request is sent, gRPC gives io.EOF in place of the reason. Any other failure of the very first
// attempt is an error: something is wrong with the profile or the network.
func stream[T any](ctx context.Context, out io.Writer, open func() (<-chan T, error), handle func(T) error) error {
	for opened := false; ctx.Err() == nil; {
		events, err := open()
		if err != nil && !opened && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil {
			fmt.Fprintf(out, "still no events: %v\n", err)
		} else {
			opened = true
			for event := range events {
				if err := handle(event); err != nil {
					return err
				}
			}
		}
		select {
		case <-time.After(retryDelay):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// wait takes what the followers report until the transaction that comes over last is among it, its event and its block. For
// nil it continues until ctx is cancelled, which is then no error.
func (f *followers) wait(ctx context.Context, last <-chan *client.Status) error {
	var awaited *client.Status
	var height uint64
	handled, listening := map[string]bool{}, last == nil // a listener's map would grow for ever
	for awaited == nil || !handled[awaited.TransactionID] || height <= awaited.BlockNumber {
		select {
		case awaited = <-last:
			last = nil
		case id := <-f.transactions:
			if !listening {
				handled[id] = true
			}
		case number := <-f.numbers:
			height = number + 1
		case err := <-f.failed:
			f.running--
			if ctx.Err() == nil {
				return fmt.Errorf("follow events: %w", err)
			}
		case <-ctx.Done():
			if listening {
				return nil
			}
			return context.Cause(ctx)
		}
	}
	return nil
}

// close waits for both streams, whose context must have ended, and closes their files.
func (f *followers) close() {
	for ; f.running > 0; f.running-- {
		<-f.failed
	}
	_ = f.chaincode.Close()
	_ = f.blocks.Close()
}
