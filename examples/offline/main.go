// SPDX-License-Identifier: Apache-2.0

// Command offline submits a transaction whose signatures are made on another machine, which alone has the key, in a file or in a
// device behind gmkeyd. Three texts are signed, one after the other; files in a folder carry them to and fro:
//
//	offline propose -profile PROFILE -channel CHANNEL -chaincode NAME -dir DIR FUNCTION [ARGUMENT ...]
//	offline sign -key KEY -dir DIR proposal        on the other machine
//	offline endorse -profile PROFILE -dir DIR
//	offline sign -key KEY -dir DIR transaction     on the other machine
//	offline submit -profile PROFILE -dir DIR
//	offline sign -key KEY -dir DIR commit          on the other machine
//	offline status -profile PROFILE -dir DIR
//
// The profile says client.identity.offline: true. sign prints what it is about to sign, read from the very bytes that it signs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric/pkg/gmgateway"
)

// The three texts, by the names of their files. A signature stands in the file of that name with .sig behind.
const (
	proposal    = "proposal"
	transaction = "transaction"
	commit      = "commit"
)

// limit is how long one step may take.
const limit = time.Minute

func main() {
	log.SetFlags(0)
	log.SetPrefix("offline: ")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// step is one call of the command.
type step struct {
	profile, channel, chaincode, dir, key string
	args                                  []string
	out                                   io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) error {
	steps := map[string]func(context.Context, *step) error{
		"propose": propose, "sign": sign, "endorse": endorse, "submit": submit, "status": status,
	}
	if len(args) == 0 || steps[args[0]] == nil {
		return errors.New("usage: offline propose|sign|endorse|submit|status [flags]; -h after one of them lists its flags")
	}
	s := &step{out: out}
	flags := flag.NewFlagSet("offline "+args[0], flag.ContinueOnError)
	flags.StringVar(&s.profile, "profile", "", "connection profile with client.identity.offline: true")
	flags.StringVar(&s.channel, "channel", "mychannel", "channel, for propose")
	flags.StringVar(&s.chaincode, "chaincode", "", "name of the chaincode, for propose")
	flags.StringVar(&s.dir, "dir", ".", "folder of the texts and signatures")
	flags.StringVar(&s.key, "key", "", "private key, or reference to one in a device, for sign")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	s.args = flags.Args()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return steps[args[0]](ctx, s)
}

func propose(_ context.Context, s *step) error {
	if s.chaincode == "" || len(s.args) == 0 {
		return errors.New("propose needs -chaincode and the name of a function")
	}
	gateway, err := gmgateway.Connect(s.profile)
	if err != nil {
		return err
	}
	defer gateway.Close()
	contract := gateway.GetNetwork(s.channel).GetContract(s.chaincode)
	made, err := contract.NewProposal(s.args[0], client.WithArguments(s.args[1:]...))
	if err != nil {
		return err
	}
	return s.save(proposal, made)
}

func endorse(ctx context.Context, s *step) error {
	gateway, err := gmgateway.Connect(s.profile)
	if err != nil {
		return err
	}
	defer gateway.Close()
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

func submit(ctx context.Context, s *step) error {
	gateway, err := gmgateway.Connect(s.profile)
	if err != nil {
		return err
	}
	defer gateway.Close()
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

func status(ctx context.Context, s *step) error {
	gateway, err := gmgateway.Connect(s.profile)
	if err != nil {
		return err
	}
	defer gateway.Close()
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

// save writes a text for the other machine.
func (s *step) save(name string, text interface{ Bytes() ([]byte, error) }) error {
	content, err := text.Bytes()
	if err != nil {
		return err
	}
	file := filepath.Join(s.dir, name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "to be signed: %s\n", file)
	return nil
}

// load reads a text and its signature.
func load[T any](s *step, name string, parse func(content, signature []byte) (T, error)) (T, error) {
	var none T
	content, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return none, err
	}
	signature, err := os.ReadFile(filepath.Join(s.dir, name+".sig"))
	if err != nil {
		return none, err
	}
	return parse(content, signature)
}
