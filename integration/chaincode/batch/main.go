// SPDX-License-Identifier: Apache-2.0

// Command batch is a chaincode server that writes and reads many keys at once, as the shim for Fabric 3.1 can. A peer without
// batches serves it too, one key at a time.
package main

import (
	"fmt"
	"log"
	"strconv"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/hyperledger/fabric/pkg/gmshim"
)

// most bounds the keys of one transaction.
const most = 10_000

func main() {
	log.SetPrefix("batch: ")
	if err := gmshim.Start(keys{}); err != nil {
		log.Fatal(err)
	}
}

// keys holds the keys key0, key1 and so on.
type keys struct{}

func (keys) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke knows Write COUNT VALUE, which gives that many keys the value followed by their number, and Read COUNT, which returns how many
// keys there are and the last value.
func (keys) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	name, args := stub.GetFunctionAndParameters()
	answer, err := serve(stub, name, args)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success([]byte(answer))
}

func serve(stub shim.ChaincodeStubInterface, name string, args []string) (string, error) {
	if len(args) == 0 {
		return "", fmt.Errorf("%s: want the number of keys", name)
	}
	count, err := strconv.Atoi(args[0])
	if err != nil || count < 1 || count > most {
		return "", fmt.Errorf("%s: the number of keys is 1 to %d, not %q", name, most, args[0])
	}
	switch {
	case name == "Write" && len(args) == 2:
		return "", write(stub, count, args[1])
	case name == "Read" && len(args) == 1:
		return read(stub, count)
	}
	return "", fmt.Errorf("no function %s with %d arguments", name, len(args))
}

func write(stub shim.ChaincodeStubInterface, count int, value string) error {
	stub.StartWriteBatch()
	for i := range count {
		if err := stub.PutState("key"+strconv.Itoa(i), []byte(value+strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return stub.FinishWriteBatch()
}

func read(stub shim.ChaincodeStubInterface, count int) (string, error) {
	names := make([]string, count)
	for i := range names {
		names[i] = "key" + strconv.Itoa(i)
	}
	values, err := stub.GetMultipleStates(names...)
	if err != nil {
		return "", err
	}
	present := 0
	for _, value := range values {
		if value != nil {
			present++
		}
	}
	return fmt.Sprintf("%d %s", present, values[count-1]), nil
}
