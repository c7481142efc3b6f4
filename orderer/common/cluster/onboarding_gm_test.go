// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	comm_utils "github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"github.com/hyperledger/fabric/orderer/common/cluster/mocks"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
)

// Onboarding rebuilds the TLS options of its puller from the bytes of certificate and key; mode and material are found again.
func TestPullerFromCertificateBytes(t *testing.T) {
	gmCA := gmtlstest.NewCA(t)
	address := startBindingServer(t, gmCA)
	pair, err := ca.NewClientCertKeyPair()
	require.NoError(t, err)
	certs, keys := gmCA.NewPair(t).Bundle(pair.Cert, pair.Key)
	raw, err := os.ReadFile(filepath.Join("testdata", "mychannel.block"))
	require.NoError(t, err)
	block, err := protoutil.UnmarshalBlock(raw)
	require.NoError(t, err)
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)

	for _, mode := range []comm_utils.ClientMode{comm_utils.ClientTLS, comm_utils.ClientGM} {
		_, err := comm_utils.NewSource(comm_utils.SourceConfig{
			Role:       "test.cluster.onboarding",
			Load:       func() (comm_utils.Material, error) { return comm_utils.ParseMaterial(certs, keys, nil, nil) },
			ClientMode: mode,
		})
		require.NoError(t, err)
		puller, err := cluster.BlockPullerFromConfigBlock(cluster.PullerConfig{
			TLSCert: certs, Timeout: timeout,
			Signer: &mocks.SignerSerializer{}, Channel: "mychannel", MaxTotalBufferBytes: 1024,
		}, block, &mocks.VerifierRetriever{}, provider)
		require.NoError(t, err)
		// The certificate authority of the other family is missing: only the protocol of the mode can work.
		roots := [][]byte{ca.CertBytes()}
		if mode == comm_utils.ClientGM {
			roots = [][]byte{gmCA.CertPEM}
		}
		puller.UpdateEndpoints([]cluster.EndpointCriteria{{Endpoint: address, TLSRootCAs: roots}})
		heights, err := heightsOf(puller)
		require.NoError(t, err)
		require.Equal(t, map[string]uint64{address: 8}, heights, mode)
		puller.Close()
	}
}

// acceptOthers accepts the signatures of all blocks for which a test has not said something else.
func acceptOthers(verifier *mocks.BlockVerifier) {
	verifier.On("VerifyBlockSignature", mock.Anything, mock.Anything).Return(nil)
}

// TestEachBlockIsVerified: a block in the middle of a batch, whose hashes are right, has a signature that is void.
func TestEachBlockIsVerified(t *testing.T) {
	for i := range 10 {
		chain := createBlockChain(50, 59)
		void, err := cluster.SignatureSetFromBlock(chain[i])
		require.NoError(t, err)
		verifier := &mocks.BlockVerifier{}
		verifier.On("VerifyBlockSignature", void, mock.Anything).Return(errors.New("void"))
		acceptOthers(verifier)
		require.EqualError(t, cluster.VerifyBlocks(chain, verifier), "void", i)
		verifier.AssertNumberOfCalls(t, "VerifyBlockSignature", i+1)
	}
}
