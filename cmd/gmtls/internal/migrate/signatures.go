// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

// signer is an identity that signed something in a block.
type signer struct {
	mspID string
	cert  *x509.Certificate
	block uint64
	as    string // creator, endorser, administrator or orderer
}

// signersOf reads the signers of blocks of a channel from files, each as "peer
// channel fetch NUMBER" writes it.
func signersOf(files []string, channelID string) ([]signer, error) {
	var all []signer
	for _, file := range files {
		data, err := material.ReadFile(file)
		if err != nil {
			return nil, err
		}
		found, err := signersIn(data, channelID)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func signersIn(data []byte, channelID string) ([]signer, error) {
	block := new(common.Block)
	if err := proto.Unmarshal(data, block); err != nil || block.Header == nil {
		return nil, errors.New("it is not a block")
	}
	r := &blockReader{number: block.Header.Number, channel: channelID}
	for i, envelope := range block.GetData().GetData() {
		if err := r.envelope(envelope); err != nil {
			return nil, fmt.Errorf("transaction %d of block %d: %w", i, r.number, err)
		}
	}
	if index := int(common.BlockMetadataIndex_SIGNATURES); len(block.GetMetadata().GetMetadata()) > index {
		if err := r.signatures(block.Metadata.Metadata[index]); err != nil {
			return nil, fmt.Errorf("signatures of block %d: %w", r.number, err)
		}
	}
	return r.found, nil
}

type blockReader struct {
	number  uint64
	channel string
	found   []signer
}

var errUndecodable = errors.New("it cannot be decoded")

func (r *blockReader) envelope(data []byte) error {
	var (
		envelope common.Envelope
		payload  common.Payload
		channel  common.ChannelHeader
	)
	if proto.Unmarshal(data, &envelope) != nil || proto.Unmarshal(envelope.Payload, &payload) != nil ||
		proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &channel) != nil {
		return errUndecodable
	}
	if channel.ChannelId != r.channel {
		return fmt.Errorf("it is of channel %q, not %q", loglimit.Printable(channel.ChannelId), r.channel)
	}
	switch common.HeaderType(channel.Type) {
	case common.HeaderType_CONFIG:
		// The orderer's own, who also signs the block. Inside is what administrators signed.
		return r.config(payload.Data)
	case common.HeaderType_ENDORSER_TRANSACTION:
		if err := r.header(payload.Header.SignatureHeader, "creator"); err != nil {
			return err
		}
		return r.transaction(payload.Data)
	}
	return nil
}

func (r *blockReader) config(data []byte) error {
	var (
		config  common.ConfigEnvelope
		payload common.Payload
		update  common.ConfigUpdateEnvelope
	)
	if proto.Unmarshal(data, &config) != nil {
		return errUndecodable
	}
	if config.LastUpdate == nil {
		return nil // the first block of a channel
	}
	if proto.Unmarshal(config.LastUpdate.Payload, &payload) != nil || proto.Unmarshal(payload.Data, &update) != nil {
		return errUndecodable
	}
	for _, s := range update.Signatures {
		if err := r.header(s.SignatureHeader, "administrator"); err != nil {
			return err
		}
	}
	return nil
}

func (r *blockReader) transaction(data []byte) error {
	var transaction peer.Transaction
	if proto.Unmarshal(data, &transaction) != nil {
		return errUndecodable
	}
	for _, a := range transaction.Actions {
		var action peer.ChaincodeActionPayload
		if proto.Unmarshal(a.Payload, &action) != nil {
			return errUndecodable
		}
		for _, e := range action.GetAction().GetEndorsements() {
			if err := r.identity(e.Endorser, "endorser"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *blockReader) signatures(data []byte) error {
	var metadata common.Metadata
	if proto.Unmarshal(data, &metadata) != nil {
		return errUndecodable
	}
	for _, s := range metadata.Signatures {
		if err := r.header(s.SignatureHeader, "orderer"); err != nil {
			return err
		}
	}
	return nil
}

func (r *blockReader) header(data []byte, as string) error {
	var header common.SignatureHeader
	if proto.Unmarshal(data, &header) != nil {
		return errUndecodable
	}
	return r.identity(header.Creator, as)
}

func (r *blockReader) identity(data []byte, as string) error {
	var id msp.SerializedIdentity
	if proto.Unmarshal(data, &id) != nil {
		return errUndecodable
	}
	certs, err := material.Certificates(id.IdBytes)
	if err != nil {
		return fmt.Errorf("the certificate of its %s: %w", as, err)
	}
	r.found = append(r.found, signer{loglimit.Printable(id.Mspid), certs[0], r.number, as})
	return nil
}

// inUse lists why the identities of a family cannot be given up by an
// organisation: the blocks show that they are used, or nothing of the organisation.
func inUse(signers []signer, id string, gm bool) (all []gap) {
	seen := false
	var told []string
	for _, s := range signers {
		if s.mspID != id {
			continue
		}
		seen = true
		name := loglimit.Printable(s.cert.Subject.String())
		if x509.IsSM2(s.cert.PublicKey) != gm || slices.Contains(told, name) {
			continue
		}
		told = append(told, name)
		all = append(all, gap{Organization: id, Reason: fmt.Sprintf("%q, with a key of %s, signed in block %d as %s", name, familyName(gm), s.block, s.as),
			Remedy: "give it an identity of the other family, and ask again with later blocks"})
	}
	if !seen {
		return []gap{{Organization: id, Reason: "nobody of it signed anything in the blocks given by --recent",
			Remedy: "give later or more blocks, as many as its rarest member takes to sign"}}
	}
	return all
}
