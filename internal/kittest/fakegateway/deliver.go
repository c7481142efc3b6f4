// SPDX-License-Identifier: Apache-2.0

package fakegateway

import (
	"bytes"
	"context"
	"crypto/sha256"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// start turns a position into the number of a block.
func (g *Gateway) start(position *orderer.SeekPosition) (uint64, error) {
	height := g.Height()
	switch p := position.GetType().(type) {
	case *orderer.SeekPosition_Specified:
		return p.Specified.GetNumber(), nil
	case *orderer.SeekPosition_NextCommit:
		return height, nil
	case *orderer.SeekPosition_Oldest:
		return 0, nil
	case *orderer.SeekPosition_Newest:
		return height - 1, nil
	}
	return 0, status.Error(codes.InvalidArgument, "no start position")
}

// seek checks a request for blocks and returns the first number.
func (g *Gateway) seek(ctx context.Context, envelope *common.Envelope) (uint64, error) {
	payload, err := openEnvelope(envelope)
	if err != nil {
		return 0, err
	}
	channel, seek := &common.ChannelHeader{}, &orderer.SeekInfo{}
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), channel); err != nil {
		return 0, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := proto.Unmarshal(payload.GetData(), seek); err != nil {
		return 0, status.Error(codes.InvalidArgument, err.Error())
	}
	if g.Mutual {
		if err := checkBinding(ctx, channel.GetTlsCertHash()); err != nil {
			return 0, err
		}
	}
	return g.start(seek.GetStart())
}

// checkBinding demands that the request names the certificate of the connection that it came over.
func checkBinding(ctx context.Context, hash []byte) error {
	p, _ := grpcpeer.FromContext(ctx)
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return status.Error(codes.Unauthenticated, "no client certificate")
	}
	sum := sha256.Sum256(info.State.PeerCertificates[0].Raw)
	if !bytes.Equal(sum[:], hash) {
		return status.Error(codes.Unauthenticated, "the TLS certificate hash does not match the connection")
	}
	return nil
}

type deliverStream interface {
	Recv() (*common.Envelope, error)
	Send(*peer.DeliverResponse) error
	Context() context.Context
}

func (g *Gateway) deliver(stream deliverStream, response func(*block) *peer.DeliverResponse) error {
	if err := g.fail("Deliver"); err != nil {
		return err
	}
	envelope, err := stream.Recv()
	if err != nil {
		return err
	}
	number, err := g.seek(stream.Context(), envelope)
	if err != nil {
		return err
	}
	for ; ; number++ {
		b, err := g.block(stream.Context(), number)
		if err != nil {
			return status.FromContextError(err).Err()
		}
		if err := stream.Send(response(b)); err != nil {
			return err
		}
	}
}

// Deliver serves whole blocks.
func (g *Gateway) Deliver(stream peer.Deliver_DeliverServer) error {
	return g.deliver(stream, func(b *block) *peer.DeliverResponse {
		return &peer.DeliverResponse{Type: &peer.DeliverResponse_Block{Block: b.Block}}
	})
}

// DeliverFiltered serves what blocks hold in short.
func (g *Gateway) DeliverFiltered(stream peer.Deliver_DeliverFilteredServer) error {
	return g.deliver(stream, func(b *block) *peer.DeliverResponse {
		filtered := &peer.FilteredBlock{ChannelId: fakepeer.Channel, Number: b.GetHeader().GetNumber()}
		if b.txID != "" {
			filtered.FilteredTransactions = []*peer.FilteredTransaction{{
				Txid: b.txID, Type: common.HeaderType_ENDORSER_TRANSACTION, TxValidationCode: b.code,
			}}
		}
		return &peer.DeliverResponse{Type: &peer.DeliverResponse_FilteredBlock{FilteredBlock: filtered}}
	})
}
