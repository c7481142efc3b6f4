// SPDX-License-Identifier: Apache-2.0

// Command application is a template: it submits or evaluates one transaction of any chaincode, as the profile's client.
//
//	application -profile PROFILE -channel CHANNEL -chaincode NAME submit FUNCTION [ARGUMENT ...]
//	application -profile PROFILE -channel CHANNEL -chaincode NAME evaluate FUNCTION [ARGUMENT ...]
//
// Private data go with -transient, as arguments are in the block for all to read, and with -endorsers to the organisations that
// may know them.
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
	"strings"
	"syscall"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	gateway "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric/pkg/gmgateway"
	"google.golang.org/grpc/status"
)

// limit is how long one transaction may take, its commit included.
const limit = time.Minute

const usage = "usage: application -profile FILE -channel NAME -chaincode NAME submit|evaluate FUNCTION [ARGUMENT ...]"

func main() {
	log.SetFlags(0)
	log.SetPrefix("application: ")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(explain(err))
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("application", flag.ContinueOnError)
	profile := flags.String("profile", "", "connection profile; its fields are described in pkg/gmgateway")
	channel := flags.String("channel", "mychannel", "channel")
	chaincode := flags.String("chaincode", "", "name of the chaincode")
	endorsers := flags.String("endorsers", "", "MSP ids, with commas between, of the organisations that endorse; if empty, the gateway chooses")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), usage)
		flags.PrintDefaults()
	}
	transient := map[string][]byte{}
	flags.Func("transient", "NAME=FILE: a transient field, and the file that holds it; for several fields give it again", func(value string) error {
		name, file, found := strings.Cut(value, "=")
		if !found {
			return errors.New("want NAME=FILE")
		}
		content, err := os.ReadFile(file)
		transient[name] = content
		return err
	})
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *profile == "" || *chaincode == "" || flags.NArg() < 2 {
		return errors.New(usage)
	}
	connection, err := gmgateway.Connect(*profile)
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	contract := connection.GetNetwork(*channel).GetContract(*chaincode)
	function := flags.Arg(1)
	options := []client.ProposalOption{client.WithArguments(flags.Args()[2:]...)}
	if len(transient) > 0 {
		options = append(options, client.WithTransient(transient))
	}
	if *endorsers != "" {
		options = append(options, client.WithEndorsingOrganizations(strings.Split(*endorsers, ",")...))
	}
	var result []byte
	switch flags.Arg(0) {
	case "submit":
		result, err = contract.SubmitWithContext(ctx, function, options...)
	case "evaluate":
		result, err = contract.EvaluateWithContext(ctx, function, options...)
	default:
		return fmt.Errorf("%q is neither submit nor evaluate", flags.Arg(0))
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", flags.Arg(0), function, err)
	}
	fmt.Fprintf(out, "%s\n", result)
	return nil
}

// explain adds what each peer said, which gRPC keeps apart from the message.
func explain(err error) error {
	for _, detail := range status.Convert(err).Details() {
		if d, ok := detail.(*gateway.ErrorDetail); ok {
			err = fmt.Errorf("%w\n  %s (%s): %s", err, d.GetAddress(), d.GetMspId(), d.GetMessage())
		}
	}
	return err
}
