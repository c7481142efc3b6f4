// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/internal/wireform"
)

// Numbers of the fields of a message, by which its kind is known.
const (
	prePrepareField protowire.Number = 1
	viewDataField   protowire.Number = 5
	newViewField    protowire.Number = 6
)

const (
	// smallMessage bounds kinds without blocks in bytes, and what a proposal and each of its signatures say beside the block. Honest ones
	// have a few kilobytes at most.
	smallMessage = 64 << 10
	// otherBytes is what kinds with blocks may have beside blocks and signatures.
	otherBytes = 1 << 20
	// manySigners is how many signatures or parts a message may have beyond one of each present consenter: a block can be signed by more
	// consenters than its configuration leaves.
	manySigners = 1024
)

// parseWithin parses a message of another consenter if it is no larger than honest ones can be.
func parseWithin(receiver MessageReceiver, payload []byte, m proto.Message, parse func([]byte, proto.Message) error) error {
	if chain, ok := receiver.(*BFTChain); ok {
		if err := chain.RuntimeConfig.Load().(RuntimeConfig).checkSize(payload); err != nil {
			return err
		}
	}
	return parse(payload, m)
}

// checkSize judges a message by its kind. A leader's proof of a view can be as long as the cluster's messages: it has a quorum of view data,
// of blocks that may be of another configuration.
func (rtc RuntimeConfig) checkSize(payload []byte) error {
	kind, wireType, tag := protowire.ConsumeTag(payload)
	if tag < 0 {
		return protowire.ParseError(tag)
	}
	content, size := protowire.ConsumeBytes(payload[tag:])
	if wireType != protowire.BytesType || size < 0 || tag+size != len(payload) {
		return errors.New("it is not one message of one kind")
	}
	blocks, bounds := 0, wireform.Fields(nil)
	switch kind {
	case prePrepareField:
		blocks, bounds = 1, rtc.prePrepareBounds()
	case viewDataField:
		blocks, bounds = 2, rtc.viewDataBounds()
	case newViewField:
		return rtc.checkProof(content)
	}
	if most := rtc.most(blocks, len(content)); len(content) > most {
		return fmt.Errorf("a message of kind %d has %d bytes, more than %d", kind, len(content), most)
	}
	return bounds.Check(content)
}

// most returns how long a message of so many blocks may be. A block has transactions of at most AbsoluteMaxBytes, and their lengths; the
// last block can be from before AbsoluteMaxBytes was lowered.
func (rtc RuntimeConfig) most(blocks, size int) int {
	if blocks == 0 {
		return smallMessage
	}
	beside := otherBytes + (len(rtc.Nodes)+1)*smallMessage
	most := beside + 2*blocks*int(rtc.BFTConfig.RequestBatchMaxBytes)
	if size > most {
		most = max(most, beside+2*blocks*proto.Size(rtc.LastBlock))
	}
	return most
}

func (rtc RuntimeConfig) prePrepareBounds() wireform.Fields {
	return wireform.Fields{3: rtc.proposalBounds(), 4: rtc.signatureBounds()}
}

func (rtc RuntimeConfig) viewDataBounds() wireform.Fields {
	return wireform.Fields{1: {Inside: wireform.Fields{2: rtc.proposalBounds(), 3: rtc.signatureBounds(), 4: rtc.proposalBounds()}}}
}

// proposalBounds is about the metadata of a view, which can name consenters by numbers.
func (rtc RuntimeConfig) proposalBounds() wireform.Field {
	return wireform.Field{Inside: wireform.Fields{3: {Bytes: smallMessage}}}
}

func (rtc RuntimeConfig) signatureBounds() wireform.Field {
	return wireform.Field{Most: len(rtc.Nodes) + manySigners}
}

// checkProof also wants view data of two consenters. With those of one, its own, a liar could prove as many views as it likes, for the library
// to keep until it comes to them.
func (rtc RuntimeConfig) checkProof(content []byte) error {
	const part = 2
	one := wireform.Fields{part: {Most: 1}}
	if one.Check(content) == nil {
		return errors.New("a proof of a view has view data of less than two consenters")
	}
	parts := wireform.Fields{part: {Most: len(rtc.Nodes) + manySigners, Inside: rtc.viewDataBounds()}}
	return parts.Check(content)
}
