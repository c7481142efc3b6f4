// SPDX-License-Identifier: Apache-2.0

// Command asset is a chaincode server that keeps assets: the sample for Go chaincode under GM, and what this
// repository's networks and tests run. It is configured by the environment as pkg/gmshim.FromEnv says.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/hyperledger/fabric/integration/chaincode/asset/contract"
	"github.com/hyperledger/fabric/pkg/gmshim"
)

func main() {
	log.SetPrefix("asset: ")
	health := flag.Bool("health", false, "tell by the exit code whether a server accepts connections on CHAINCODE_SERVER_ADDRESS")
	flag.Parse()
	run := serve
	if *health {
		run = checkHealth
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func serve() error {
	chaincode, err := contract.NewChaincode()
	if err != nil {
		return err
	}
	log.Printf("serving on %s", os.Getenv("CHAINCODE_SERVER_ADDRESS"))
	return gmshim.Start(chaincode)
}

// checkHealth opens a connection and closes it before the handshake, which needs no certificate of ours.
func checkHealth() error {
	host, port, err := net.SplitHostPort(os.Getenv("CHAINCODE_SERVER_ADDRESS"))
	if err != nil {
		return fmt.Errorf("CHAINCODE_SERVER_ADDRESS: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 3*time.Second)
	if err != nil {
		return fmt.Errorf("the chaincode server does not answer: %w", err)
	}
	return conn.Close()
}
