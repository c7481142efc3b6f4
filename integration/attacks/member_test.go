// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/integration/network"
)

// member is somebody with a key and a certificate, in the form in which he chooses to show it.
type member struct {
	mspID    string
	cert     *x509.Certificate
	key      any
	identity []byte // SerializedIdentity that he shows; nil: as his software writes it
}

// loadMember reads an MSP folder: that of a node or of a user.
func loadMember(t *testing.T, mspID, dir string) *member {
	t.Helper()
	read := func(folder string) []byte {
		files, err := filepath.Glob(filepath.Join(dir, folder, "*"))
		require.NoError(t, err)
		require.Len(t, files, 1, "%s in %s", folder, dir)
		raw, err := os.ReadFile(files[0])
		require.NoError(t, err)
		return raw
	}
	cert, err := x509.ParseCertificatePEM(read("signcerts"))
	require.NoError(t, err)
	block, _ := pem.Decode(read("keystore"))
	require.NotNil(t, block)
	key, err := x509.ParsePrivateKey(block.Bytes)
	require.NoError(t, err)
	return &member{mspID: mspID, cert: cert, key: key}
}

// userOf is a user of org, Admin or User1.
func userOf(t *testing.T, n *network.Network, org network.Org, user string) *member {
	t.Helper()
	return loadMember(t, org.MSPID, filepath.Join(orgDir(n, org), "users", user+"@"+org.Domain, "msp"))
}

// peerOf is the identity of one of org's peers, as an organisation that turns on the others would use it.
func peerOf(t *testing.T, n *network.Network, org network.Org, node network.Node) *member {
	t.Helper()
	return loadMember(t, org.MSPID, filepath.Join(orgDir(n, org), "peers", node.Name, "msp"))
}

func orgDir(n *network.Network, org network.Org) string {
	return filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain)
}

func (m *member) serialize(t *testing.T) []byte {
	t.Helper()
	if m.identity != nil {
		return m.identity
	}
	return encode(t, &msp.SerializedIdentity{Mspid: m.mspID, IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.cert.Raw})})
}

// sign signs as nodes and SDKs do: SM2 with the default id over the message, ECDSA over its SHA-256 with s in the lower half.
func (m *member) sign(t *testing.T, message []byte) []byte {
	t.Helper()
	if key, ok := x509.AsSM2(m.key); ok {
		sig, err := key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts)
		require.NoError(t, err)
		return sig
	}
	key := m.key.(*ecdsa.PrivateKey)
	digest := sha256.Sum256(message)
	raw, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	require.NoError(t, err)
	var pair struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(raw, &pair)
	require.NoError(t, err)
	order := key.Params().N
	if pair.S.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		pair.S.Sub(order, pair.S)
	}
	raw, err = asn1.Marshal(pair)
	require.NoError(t, err)
	return raw
}

func encode(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	return raw
}

// proposal is a call of a chaincode, with what a transaction takes over of it.
type proposal struct {
	by     *member
	txID   string
	header *common.Header
	raw    []byte // peer.Proposal
	hash   []byte // of the parts that endorsers sign over
	input  []byte // peer.ChaincodeProposalPayload
}

// propose has a member call a function of a chaincode on the network's channel.
func propose(t *testing.T, n *network.Network, by *member, chaincode string, args ...string) *proposal {
	t.Helper()
	nonce := make([]byte, 24)
	_, _ = rand.Read(nonce)
	creator := by.serialize(t)
	id := sha256.Sum256(append(append([]byte{}, nonce...), creator...))
	input := &peer.ChaincodeInput{}
	for _, arg := range args {
		input.Args = append(input.Args, []byte(arg))
	}
	p := &proposal{by: by, txID: hex.EncodeToString(id[:])}
	p.header = &common.Header{
		ChannelHeader: encode(t, &common.ChannelHeader{
			Type: int32(common.HeaderType_ENDORSER_TRANSACTION), ChannelId: n.Channel, TxId: p.txID, Timestamp: timestamppb.Now(),
			Extension: encode(t, &peer.ChaincodeHeaderExtension{ChaincodeId: &peer.ChaincodeID{Name: chaincode}}),
		}),
		SignatureHeader: encode(t, &common.SignatureHeader{Creator: creator, Nonce: nonce}),
	}
	p.input = encode(t, &peer.ChaincodeProposalPayload{Input: encode(t, &peer.ChaincodeInvocationSpec{
		ChaincodeSpec: &peer.ChaincodeSpec{Type: peer.ChaincodeSpec_GOLANG, ChaincodeId: &peer.ChaincodeID{Name: chaincode}, Input: input},
	})})
	p.raw = encode(t, &peer.Proposal{Header: encode(t, p.header), Payload: p.input})
	hash := sha256.New()
	hash.Write(p.header.ChannelHeader)
	hash.Write(p.header.SignatureHeader)
	hash.Write(p.input)
	p.hash = hash.Sum(nil)
	return p
}

// endorse asks a peer to execute the proposal and sign the outcome. The answer may be a refusal.
func (p *proposal) endorse(ctx context.Context, t *testing.T, n *network.Network, node network.Node) (*peer.ProposalResponse, error) {
	t.Helper()
	conn := dial(t, n, node, n.Peers[0], "User1")
	return peer.NewEndorserClient(conn).ProcessProposal(ctx, &peer.SignedProposal{ProposalBytes: p.raw, Signature: p.by.sign(t, p.raw)})
}

// endorsement is a member's signature over an outcome, made without a peer.
func endorsement(t *testing.T, by *member, outcome []byte) *peer.Endorsement {
	t.Helper()
	endorser := by.serialize(t)
	return &peer.Endorsement{Endorser: endorser, Signature: by.sign(t, append(append([]byte{}, outcome...), endorser...))}
}

// transaction is the proposal with its outcome and endorsements, signed by who proposed it.
func (p *proposal) transaction(t *testing.T, outcome []byte, endorsements ...*peer.Endorsement) *common.Envelope {
	t.Helper()
	action := encode(t, &peer.ChaincodeActionPayload{
		ChaincodeProposalPayload: p.input,
		Action:                   &peer.ChaincodeEndorsedAction{ProposalResponsePayload: outcome, Endorsements: endorsements},
	})
	return p.signed(t, actions(t, p, action))
}

// actions is a transaction with these payloads of actions, which may be anything.
func actions(t *testing.T, p *proposal, payloads ...[]byte) []byte {
	t.Helper()
	tx := &peer.Transaction{}
	for _, payload := range payloads {
		tx.Actions = append(tx.Actions, &peer.TransactionAction{Header: p.header.SignatureHeader, Payload: payload})
	}
	return encode(t, tx)
}

// signed is an envelope with any data below the proposal's header, signed by who proposed it.
func (p *proposal) signed(t *testing.T, data []byte) *common.Envelope {
	t.Helper()
	payload := encode(t, &common.Payload{Header: p.header, Data: data})
	return &common.Envelope{Payload: payload, Signature: p.by.sign(t, payload)}
}

// broadcast gives an envelope to the first orderer and returns the answer.
func broadcast(ctx context.Context, t *testing.T, n *network.Network, envelope *common.Envelope) *orderer.BroadcastResponse {
	t.Helper()
	stream, err := orderer.NewAtomicBroadcastClient(dial(t, n, n.Nodes(network.Orderer)[0], n.Peers[0], "User1")).Broadcast(ctx)
	require.NoError(t, err)
	require.NoError(t, stream.Send(envelope))
	answer, err := stream.Recv()
	require.NoError(t, err)
	return answer
}
