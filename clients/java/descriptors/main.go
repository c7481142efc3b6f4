// SPDX-License-Identifier: Apache-2.0

// Command descriptors writes Fabric's gateway protocol, as the Go module declares it, into a file for protoc's option
// --descriptor_set_in, and prints the names of the files that protoc is to generate code for.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("descriptors: ")
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: descriptors FILE")
	}
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	for _, file := range []protoreflect.FileDescriptor{gateway.File_gateway_gateway_proto, msp.File_msp_identities_proto} {
		collect(set, seen, file)
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		return err
	}
	if err := os.WriteFile(args[0], data, 0o644); err != nil {
		return err
	}
	for _, file := range set.GetFile() {
		if !strings.HasPrefix(file.GetName(), "google/") { // Java's protobuf library has these
			fmt.Println(file.GetName())
		}
	}
	return nil
}

// collect adds a file to the set, after those that it imports.
func collect(set *descriptorpb.FileDescriptorSet, seen map[string]bool, file protoreflect.FileDescriptor) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	imports := file.Imports()
	for i := range imports.Len() {
		collect(set, seen, imports.Get(i).FileDescriptor)
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
}
