// SPDX-License-Identifier: Apache-2.0

// Command offline has its signatures made on another machine, which alone has the key, in a file or in a device behind gmkeyd. Files
// in a folder carry texts and signatures to and fro. A transaction has three texts:
//
//	offline propose -profile PROFILE -channel CHANNEL -chaincode NAME -dir DIR FUNCTION [ARGUMENT ...]
//	offline sign -key KEY -dir DIR proposal        on the other machine
//	offline endorse -profile PROFILE -dir DIR
//	offline sign -key KEY -dir DIR transaction     on the other machine
//	offline submit -profile PROFILE -dir DIR
//	offline sign -key KEY -dir DIR commit          on the other machine
//	offline status -profile PROFILE -dir DIR
//
// A query has the first of them: evaluate takes the place of endorse. Events of the chaincode, or blocks, have one:
//
//	offline request -profile PROFILE -channel CHANNEL -chaincode NAME -dir DIR events      or blocks, without -chaincode
//	offline sign -key KEY -dir DIR events          on the other machine
//	offline follow -profile PROFILE -dir DIR events
//
// The profile says client.identity.offline: true. sign prints what it is about to sign, read from the very bytes that it signs, and
// refuses what could be read in another way.
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
)

// limit is how long one step may take, but for follow.
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
	start                                 uint64
	count                                 int
	args                                  []string
	out                                   io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) error {
	steps := map[string]func(context.Context, *step) error{
		"propose": propose, "sign": sign, "endorse": online(endorse), "evaluate": online(evaluate), "submit": online(submit),
		"status": online(status), "request": online(request), "follow": online(follow),
	}
	if len(args) == 0 || steps[args[0]] == nil {
		return errors.New("usage: offline propose|sign|endorse|evaluate|submit|status|request|follow [flags]; -h after one of them lists its flags")
	}
	s := &step{out: out}
	flags := flag.NewFlagSet("offline "+args[0], flag.ContinueOnError)
	flags.StringVar(&s.profile, "profile", "", "connection profile with client.identity.offline: true")
	flags.StringVar(&s.channel, "channel", "mychannel", "channel, for propose and request")
	flags.StringVar(&s.chaincode, "chaincode", "", "name of the chaincode, for propose and request")
	flags.StringVar(&s.dir, "dir", ".", "folder of the texts and signatures")
	flags.StringVar(&s.key, "key", "", "private key, or reference to one in a device, for sign")
	flags.Uint64Var(&s.start, "start", 0, "first block, for request")
	flags.IntVar(&s.count, "count", 0, "how many events follow waits for; 0: until it is interrupted")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	s.args = flags.Args()
	if args[0] != "follow" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return steps[args[0]](ctx, s)
}

// text is the file of a text, signature that of its signature.
func (s *step) text(k kind) string      { return filepath.Join(s.dir, string(k)) }
func (s *step) signature(k kind) string { return s.text(k) + ".sig" }

// save writes a text for the other machine.
func (s *step) save(k kind, text interface{ Bytes() ([]byte, error) }) error {
	content, err := text.Bytes()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	// One of an earlier text would be taken for its signature.
	if err := os.Remove(s.signature(k)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(s.text(k), content, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "to be signed: %s\n", s.text(k))
	return nil
}

// load reads a text and its signature.
func load[T any](s *step, k kind, parse func(content, signature []byte) (T, error)) (T, error) {
	var none T
	content, err := os.ReadFile(s.text(k))
	if err != nil {
		return none, err
	}
	signature, err := os.ReadFile(s.signature(k))
	if err != nil {
		return none, err
	}
	return parse(content, signature)
}
