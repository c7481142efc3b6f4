// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha3"
	stdx509 "crypto/x509"
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

// signersOf reads the signers of blocks of a channel from files, each as "peer channel fetch NUMBER" writes it. It counts what it passed over.
func signersOf(files []string, ch *channel) (all []signer, passed int, err error) {
	for _, file := range files {
		data, err := material.ReadFile(file)
		if err != nil {
			return nil, 0, err
		}
		found, over, err := signersIn(data, ch)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", file, err)
		}
		all, passed = append(all, found...), passed+over
	}
	return all, passed, nil
}

// signersIn passes over what proves nothing, as anybody could have had it put into the block: invalid transactions, where the block has the
// verdicts of a peer; what cannot be read; signatures that do not verify; and certificates of no CA of their organisation.
func signersIn(data []byte, ch *channel) (found []signer, passed int, err error) {
	block := new(common.Block)
	if err := proto.Unmarshal(data, block); err != nil || block.Header == nil {
		return nil, 0, errors.New("it is not a block")
	}
	r := &blockReader{number: block.Header.Number, channel: ch}
	transactions, metadata := block.GetData().GetData(), block.GetMetadata().GetMetadata()
	var verdicts []byte // of a block from an orderer there are none
	if index := int(common.BlockMetadataIndex_TRANSACTIONS_FILTER); len(metadata) > index && len(metadata[index]) == len(transactions) {
		verdicts = metadata[index]
	}
	for i, envelope := range transactions {
		if verdicts != nil && verdicts[i] != byte(peer.TxValidationCode_VALID) {
			r.passed++
			continue
		}
		if err := r.envelope(envelope); err != nil {
			return nil, 0, fmt.Errorf("transaction %d of block %d: %w", i, r.number, err)
		}
	}
	if index := int(common.BlockMetadataIndex_SIGNATURES); len(metadata) > index {
		r.signatures(metadata[index])
	}
	return r.found, r.passed, nil
}

type blockReader struct {
	number  uint64
	channel *channel
	found   []signer
	passed  int
}

func (r *blockReader) envelope(data []byte) error {
	var (
		envelope common.Envelope
		payload  common.Payload
		channel  common.ChannelHeader
	)
	if proto.Unmarshal(data, &envelope) != nil || proto.Unmarshal(envelope.Payload, &payload) != nil ||
		proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &channel) != nil {
		r.passed++
		return nil
	}
	if channel.ChannelId != r.channel.Name {
		return fmt.Errorf("it is of channel %q, not %q", loglimit.Printable(channel.ChannelId), r.channel.Name)
	}
	switch common.HeaderType(channel.Type) {
	case common.HeaderType_CONFIG:
		// The orderer's own, who also signs the block. Inside is what administrators signed.
		r.config(payload.Data)
	case common.HeaderType_ENDORSER_TRANSACTION:
		r.header(payload.Header.SignatureHeader, "creator", envelope.Payload, envelope.Signature)
		r.transaction(payload.Data)
	}
	return nil
}

func (r *blockReader) config(data []byte) {
	var (
		config  common.ConfigEnvelope
		payload common.Payload
		update  common.ConfigUpdateEnvelope
	)
	if proto.Unmarshal(data, &config) != nil || proto.Unmarshal(config.GetLastUpdate().GetPayload(), &payload) != nil ||
		proto.Unmarshal(payload.Data, &update) != nil {
		r.passed++
		return
	}
	for _, s := range update.Signatures { // the first block of a channel has none
		r.header(s.SignatureHeader, "administrator", slices.Concat(s.SignatureHeader, update.ConfigUpdate), s.Signature)
	}
}

func (r *blockReader) transaction(data []byte) {
	var transaction peer.Transaction
	if proto.Unmarshal(data, &transaction) != nil {
		r.passed++
		return
	}
	for _, a := range transaction.Actions {
		var action peer.ChaincodeActionPayload
		if proto.Unmarshal(a.Payload, &action) != nil {
			r.passed++
			continue
		}
		response := action.GetAction().GetProposalResponsePayload()
		for _, e := range action.GetAction().GetEndorsements() {
			r.identity(e.Endorser, "endorser", slices.Concat(response, e.Endorser), e.Signature)
		}
	}
}

// signatures reads who signed the block. An orderer alone could forge one, so they are not verified.
func (r *blockReader) signatures(data []byte) {
	var metadata common.Metadata
	if proto.Unmarshal(data, &metadata) != nil {
		r.passed++
		return
	}
	for _, s := range metadata.Signatures {
		r.header(s.SignatureHeader, "orderer", nil, nil)
	}
}

func (r *blockReader) header(data []byte, as string, message, signature []byte) {
	var header common.SignatureHeader
	if proto.Unmarshal(data, &header) != nil {
		r.passed++
		return
	}
	r.identity(header.Creator, as, message, signature)
}

// identity takes in who signed a message; without a message, who is named.
func (r *blockReader) identity(data []byte, as string, message, signature []byte) {
	var id msp.SerializedIdentity
	if proto.Unmarshal(data, &id) == nil {
		certs, err := material.Certificates(id.IdBytes)
		if err == nil && (message == nil || signed(certs[0], message, signature)) && r.channel.member(id.Mspid).issued(certs[0]) {
			r.found = append(r.found, signer{loglimit.Printable(id.Mspid), certs[0], r.number, as})
			return
		}
	}
	r.passed++
}

// signed reports whether the key of an identity made a signature, as MSPs verify it. Keys of another kind than MSPs have count as having signed:
// they can only keep an update from being written.
func signed(cert *x509.Certificate, message, signature []byte) bool {
	switch key := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if x509.IsSM2(key) {
			return x509.CheckSignature(cert, x509.SM2WithSM3, message, signature) == nil
		}
		sha2, other := sha256.Sum256(message), sha3.Sum256(message) // by the hash family of the MSP
		return ecdsa.VerifyASN1(key, sha2[:], signature) || ecdsa.VerifyASN1(key, other[:], signature)
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, signature)
	}
	return true
}

// issued reports whether a certificate leads to a CA of an organisation, whatever the time, as in an MSP.
func (m *member) issued(cert *x509.Certificate) bool {
	if m == nil {
		return false
	}
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		CurrentTime: x509.JudgedAt(cert), KeyUsages: []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageAny},
	}
	for _, p := range m.places {
		for _, text := range p.fabric.RootCerts {
			certs, _ := material.Certificates(text)
			for _, c := range certs {
				opts.Roots.AddCert(c)
			}
		}
		for _, text := range p.fabric.IntermediateCerts {
			certs, _ := material.Certificates(text)
			for _, c := range certs {
				opts.Intermediates.AddCert(c)
			}
		}
	}
	_, err := x509.Verify(cert, opts)
	return err == nil
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
