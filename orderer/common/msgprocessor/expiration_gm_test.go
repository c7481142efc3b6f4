// SPDX-License-Identifier: Apache-2.0

package msgprocessor

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/orderer/common/msgprocessor/mocks"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

func TestExpiredSM2ClientIsRejected(t *testing.T) {
	capabilities := &mocks.OrdererCapabilities{}
	capabilities.ExpirationCheckReturns(true)
	config := &mocks.OrdererConfig{}
	config.CapabilitiesReturns(capabilities)
	channel := &mocks.Resources{}
	channel.OrdererConfigReturns(config, true)
	rule := NewExpirationRejectRule(channel)

	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for offset, want := range map[time.Duration]string{time.Minute: "", -time.Minute: "broadcast client identity expired"} {
		end := time.Now().Add(offset)
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotBefore: end.Add(-time.Hour), NotAfter: end,
		}
		der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
		require.NoError(t, err)
		err = rule.Apply(createEnvelope(t, protoutil.MarshalOrPanic(&msp.SerializedIdentity{
			Mspid: "Org1MSP", IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		})))
		if want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
	}
}
