// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// acceptor answers every proposal that passes the filter.
type acceptor struct{ peer.EndorserServer }

func (acceptor) ProcessProposal(context.Context, *peer.SignedProposal) (*peer.ProposalResponse, error) {
	return &peer.ProposalResponse{}, nil
}

// proposalOf is a proposal by a client whose SM2 certificate ends at end.
func proposalOf(t *testing.T, end time.Time) *peer.SignedProposal {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotBefore: end.Add(-time.Hour), NotAfter: end,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	require.NoError(t, err)
	creator := protoutil.MarshalOrPanic(&msp.SerializedIdentity{
		Mspid: "Org1MSP", IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	})
	header := &common.Header{SignatureHeader: protoutil.MarshalOrPanic(&common.SignatureHeader{Creator: creator})}
	return &peer.SignedProposal{
		ProposalBytes: protoutil.MarshalOrPanic(&peer.Proposal{Header: protoutil.MarshalOrPanic(header)}),
	}
}

func TestExpiredSM2ClientIsRefused(t *testing.T) {
	filter := NewExpirationCheckFilter()
	filter.Init(acceptor{})
	_, err := filter.ProcessProposal(context.Background(), proposalOf(t, time.Now().Add(time.Minute)))
	require.NoError(t, err)
	_, err = filter.ProcessProposal(context.Background(), proposalOf(t, time.Now().Add(-time.Minute)))
	require.EqualError(t, err, "proposal client identity expired")
}
