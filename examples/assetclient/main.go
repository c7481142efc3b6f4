// SPDX-License-Identifier: Apache-2.0

// Command assetclient shows an application on a GM network: it submits and evaluates transactions of the asset
// chaincode and follows the events of the chaincode and of blocks, from where it stopped the last time.
//
//	go run ./examples/assetclient -profile PROFILE             create, change, transfer and delete an asset
//	go run ./examples/assetclient -profile PROFILE -listen     follow events until interrupted
//
// Nothing here but gmgateway.Connect differs from an application on a stock network.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric/pkg/gmgateway"
)

// config is the command line.
type config struct {
	profile     string
	channel     string
	chaincode   string
	checkpoints string
	listen      bool
	timeout     time.Duration
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("assetclient: ")
	var c config
	flag.StringVar(&c.profile, "profile", "", "connection profile; its fields are described in pkg/gmgateway")
	flag.StringVar(&c.channel, "channel", "mychannel", "channel")
	flag.StringVar(&c.chaincode, "chaincode", "asset", "name of the asset chaincode")
	flag.StringVar(&c.checkpoints, "checkpoints", ".", "folder for the files that hold how far events were handled")
	flag.BoolVar(&c.listen, "listen", false, "only follow events, until interrupted")
	flag.DurationVar(&c.timeout, "timeout", time.Minute, "time for all transactions and their events; -listen has none")
	flag.Parse()
	if c.profile == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c, os.Stdout); err != nil {
		log.Fatal(explain(err))
	}
}

func run(ctx context.Context, c config, out io.Writer) error {
	connection, err := gmgateway.Connect(c.profile,
		client.WithEvaluateTimeout(10*time.Second),
		client.WithEndorseTimeout(15*time.Second),
		client.WithSubmitTimeout(10*time.Second),
		client.WithCommitStatusTimeout(time.Minute),
	)
	if err != nil {
		return err
	}
	defer connection.Close()
	network := connection.GetNetwork(c.channel)

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	events, err := follow(ctx, network, c.chaincode, c.checkpoints, out)
	if err != nil {
		return err
	}
	defer func() {
		stop(nil) // ends the streams
		events.close()
	}()
	if c.listen {
		return events.wait(ctx, nil)
	}

	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	last := make(chan *client.Status, 1)
	go func() {
		app := &application{contract: network.GetContract(c.chaincode), out: out}
		result, err := app.transact(limited, fmt.Sprintf("asset-%d", time.Now().UnixNano()))
		if err != nil {
			stop(err)
			return
		}
		last <- result
	}()
	return events.wait(limited, last)
}
