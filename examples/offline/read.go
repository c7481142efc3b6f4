// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// kind is what a text is. The bytes under a signature do not say it: Fabric has no label for that, and protocol buffers read almost
// anything as almost anything, ignoring what they do not know. So a text is read strictly (unmarshal), every field of it is shown
// or has the one value that it may have, and what one reader takes all others refuse. TestOneReading holds the readers to it.
type kind string

// A text is in the file of that name, its signature in the one with .sig behind.
const (
	proposal    kind = "proposal"
	transaction kind = "transaction"
	commit      kind = "commit"
	events      kind = "events"
	blocks      kind = "blocks"
)

var readers = map[kind]func([]byte) (*content, error){
	proposal: readProposal, transaction: readTransaction, commit: readCommit, events: readEvents, blocks: readBlocks,
}

// content is what a text says.
type content struct {
	certificate []byte // of who is to sign it, PEM
	lines       string // what it does, for the operator
}

func (c *content) add(format string, args ...any) {
	c.lines += "  " + fmt.Sprintf(format, args...) + "\n"
}

var (
	// channelName is what a channel may be called. Some ids of transactions have that form, and (content).channel refuses them.
	channelName   = regexp.MustCompile(`^[a-z][a-z0-9.-]{0,248}$`)
	chaincodeName = regexp.MustCompile(`^[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*$`)
	transactionID = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// messageOf takes the bytes that are signed out of what the gateway client writes.
func messageOf(k kind, text []byte) ([]byte, error) {
	var message []byte
	var err error
	switch k {
	case proposal:
		var outer gateway.ProposedTransaction
		err = proto.Unmarshal(text, &outer)
		message = outer.GetProposal().GetProposalBytes()
	case transaction:
		var outer gateway.PreparedTransaction
		err = proto.Unmarshal(text, &outer)
		message = outer.GetEnvelope().GetPayload()
	case commit:
		var outer gateway.SignedCommitStatusRequest
		err = proto.Unmarshal(text, &outer)
		message = outer.GetRequest()
	case events:
		var outer gateway.SignedChaincodeEventsRequest
		err = proto.Unmarshal(text, &outer)
		message = outer.GetRequest()
	case blocks:
		var outer common.Envelope
		err = proto.Unmarshal(text, &outer)
		message = outer.GetPayload()
	}
	if err != nil {
		return nil, fmt.Errorf("it is not a text of kind %s: %w", k, err)
	}
	return message, nil
}

// read reads a message as one kind, and makes sure that it is not another.
func read(k kind, message []byte) (*content, error) {
	shown, err := readers[k](message)
	if err != nil {
		return nil, fmt.Errorf("it is not a text of kind %s: %w", k, err)
	}
	for other, reader := range readers {
		if other == k {
			continue
		}
		if _, err := reader(message); err == nil {
			return nil, fmt.Errorf("it can be read as %s and as %s", k, other)
		}
	}
	return shown, nil
}

// unmarshal reads a message of which nothing is ignored: no field that this program does not know, none twice, none in another
// form than the usual one. An empty one is not a message.
func unmarshal(text []byte, m proto.Message) error {
	name := m.ProtoReflect().Descriptor().Name()
	if len(text) == 0 {
		return fmt.Errorf("%s is missing", name)
	}
	if err := proto.Unmarshal(text, m); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !onlyKnownFields(m.ProtoReflect()) {
		return fmt.Errorf("%s has a field that is not known here", name)
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, unordered := m.(*peer.ChaincodeProposalPayload) // transient data may come in any order
	if len(again) != len(text) || !unordered && !bytes.Equal(again, text) {
		return fmt.Errorf("%s is written in an unusual way", name)
	}
	return nil
}

// onlyKnownFields reports whether a message and all messages in it hold known fields alone.
func onlyKnownFields(m protoreflect.Message) bool {
	all := len(m.GetUnknown()) == 0
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap(): // our maps hold bytes
		case field.IsList():
			for i := range value.List().Len() {
				all = all && onlyKnownFields(value.List().Get(i).Message())
			}
		default:
			all = all && onlyKnownFields(value.Message())
		}
		return all
	})
	return all
}

// identity reads who is to sign.
func (c *content) identity(text []byte) error {
	var id msp.SerializedIdentity
	if err := unmarshal(text, &id); err != nil {
		return err
	}
	c.certificate = id.GetIdBytes()
	c.add("for an identity of %q", id.GetMspid())
	return nil
}

func (c *content) channel(name string) error {
	if !channelName.MatchString(name) || transactionID.MatchString(name) {
		return fmt.Errorf("%q is not the name of a channel", name)
	}
	c.add("channel %s", name)
	return nil
}

// header reads the header that proposals, transactions and requests for blocks begin with. Its type tells the last from the others.
func (c *content) header(header *common.Header, want common.HeaderType) (*common.ChannelHeader, *common.SignatureHeader, error) {
	var channel common.ChannelHeader
	var signer common.SignatureHeader
	if err := errors.Join(unmarshal(header.GetChannelHeader(), &channel), unmarshal(header.GetSignatureHeader(), &signer)); err != nil {
		return nil, nil, err
	}
	if channel.GetType() != int32(want) {
		return nil, nil, fmt.Errorf("its header is of type %s, not %s", common.HeaderType(channel.GetType()), want)
	}
	if channel.GetVersion() != 0 || channel.GetEpoch() != 0 {
		return nil, nil, errors.New("its header has a version or an epoch, and neither is in use")
	}
	if err := errors.Join(c.channel(channel.GetChannelId()), c.identity(signer.GetCreator())); err != nil {
		return nil, nil, err
	}
	c.add("made at %s", channel.GetTimestamp().AsTime().Format("2006-01-02 15:04:05.999999999 UTC"))
	if hash := channel.GetTlsCertHash(); len(hash) > 0 {
		c.add("over connections with the client certificate %x", hash)
	}
	return &channel, &signer, nil
}

// call reads the header of a proposal or transaction, and what it calls.
func (c *content) call(header *common.Header, payload []byte, transient bool) (signatureHeader []byte, err error) {
	channel, signer, err := c.header(header, common.HeaderType_ENDORSER_TRANSACTION)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(append(bytes.Clone(signer.GetNonce()), signer.GetCreator()...))
	if channel.GetTxId() != hex.EncodeToString(id[:]) {
		return nil, errors.New("its transaction id is not that of its nonce and identity")
	}
	c.add("transaction %s", channel.GetTxId())
	var extension peer.ChaincodeHeaderExtension
	var called peer.ChaincodeProposalPayload
	var invocation peer.ChaincodeInvocationSpec
	if err := unmarshal(channel.GetExtension(), &extension); err != nil {
		return nil, err
	}
	if err := unmarshal(payload, &called); err != nil {
		return nil, err
	}
	if err := unmarshal(called.GetInput(), &invocation); err != nil {
		return nil, err
	}
	spec := invocation.GetChaincodeSpec()
	name := spec.GetChaincodeId().GetName()
	plain := &peer.ChaincodeSpec{ChaincodeId: &peer.ChaincodeID{Name: name}, Input: &peer.ChaincodeInput{Args: spec.GetInput().GetArgs()}}
	switch {
	case !chaincodeName.MatchString(name):
		return nil, fmt.Errorf("%q is not the name of a chaincode", name)
	case !proto.Equal(extension.GetChaincodeId(), plain.GetChaincodeId()):
		return nil, errors.New("its header names another chaincode than its call")
	case !proto.Equal(spec, plain):
		return nil, errors.New("its call says more than a chaincode's name and arguments")
	case len(called.GetTransientMap()) > 0 && !transient:
		return nil, errors.New("it would publish transient data")
	}
	var args strings.Builder
	for _, arg := range spec.GetInput().GetArgs() {
		fmt.Fprintf(&args, " %q", arg)
	}
	c.add("chaincode %s%s", name, args.String())
	c.transient(called.GetTransientMap())
	return header.GetSignatureHeader(), nil
}

func readProposal(message []byte) (*content, error) {
	c := &content{}
	var p peer.Proposal
	var header common.Header
	if err := unmarshal(message, &p); err != nil {
		return nil, err
	}
	if len(p.GetExtension()) > 0 {
		return nil, errors.New("it has an extension, and none is in use")
	}
	if err := unmarshal(p.GetHeader(), &header); err != nil {
		return nil, err
	}
	_, err := c.call(&header, p.GetPayload(), true)
	return c, err
}

func readTransaction(message []byte) (*content, error) {
	c := &content{}
	var payload common.Payload
	var tx peer.Transaction
	var action peer.ChaincodeActionPayload
	if err := unmarshal(message, &payload); err != nil {
		return nil, err
	}
	if err := unmarshal(payload.GetData(), &tx); err != nil {
		return nil, err
	}
	if len(tx.GetActions()) != 1 {
		return nil, fmt.Errorf("it has %d actions, and a transaction has one", len(tx.GetActions()))
	}
	if err := unmarshal(tx.GetActions()[0].GetPayload(), &action); err != nil {
		return nil, err
	}
	header, err := c.call(payload.GetHeader(), action.GetChaincodeProposalPayload(), false)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(tx.GetActions()[0].GetHeader(), header) {
		return nil, errors.New("its action names another identity")
	}
	return c, c.endorsed(action.GetAction())
}

func readCommit(message []byte) (*content, error) {
	c := &content{}
	var request gateway.CommitStatusRequest
	if err := unmarshal(message, &request); err != nil {
		return nil, err
	}
	if !transactionID.MatchString(request.GetTransactionId()) {
		return nil, fmt.Errorf("it asks for transaction %q, which is not the id of a transaction", request.GetTransactionId())
	}
	c.add("is transaction %s committed?", request.GetTransactionId())
	return c, errors.Join(c.channel(request.GetChannelId()), c.identity(request.GetIdentity()))
}

func readEvents(message []byte) (*content, error) {
	c := &content{}
	var request gateway.ChaincodeEventsRequest
	if err := unmarshal(message, &request); err != nil {
		return nil, err
	}
	if err := errors.Join(c.channel(request.GetChannelId()), c.identity(request.GetIdentity())); err != nil {
		return nil, err
	}
	if !chaincodeName.MatchString(request.GetChaincodeId()) {
		return nil, fmt.Errorf("%q is not the name of a chaincode", request.GetChaincodeId())
	}
	c.add("events of chaincode %s", request.GetChaincodeId())
	if after := request.GetAfterTransactionId(); after != "" {
		c.add("after transaction %q", after)
	}
	return c, c.position("from", request.GetStartPosition())
}

func readBlocks(message []byte) (*content, error) {
	c := &content{}
	var payload common.Payload
	var seek orderer.SeekInfo
	if err := unmarshal(message, &payload); err != nil {
		return nil, err
	}
	channel, signer, err := c.header(payload.GetHeader(), common.HeaderType_DELIVER_SEEK_INFO)
	if err != nil {
		return nil, err
	}
	if channel.GetTxId() != "" || len(channel.GetExtension()) > 0 || len(signer.GetNonce()) > 0 {
		return nil, errors.New("its header has more than a request for blocks")
	}
	if err := unmarshal(payload.GetData(), &seek); err != nil {
		return nil, err
	}
	c.add("blocks: %s, %s, %s", seek.GetBehavior(), seek.GetErrorResponse(), seek.GetContentType())
	return c, errors.Join(c.position("from", seek.GetStart()), c.position("to", seek.GetStop()))
}
