// SPDX-License-Identifier: Apache-2.0

package configtx

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	mspprotos "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

// authority is a certificate, signed by an ECDSA key, of an RSA key of so many bits that nobody has, with so many bytes of an extension.
func authority(t *testing.T, bits, extension int) []byte {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	modulus := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"},
		ExtraExtensions: []pkix.Extension{{Id: []int{1, 2, 3}, Value: make([]byte, extension)}},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &rsa.PublicKey{N: modulus.SetBit(modulus, 0, 1), E: 65537}, signer)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func withMSP(fabric *mspprotos.FabricMSPConfig) func(*cb.ConfigGroup) {
	return func(org *cb.ConfigGroup) {
		config := &mspprotos.MSPConfig{Config: protoutil.MarshalOrPanic(fabric)}
		org.Values[mspKey] = &cb.ConfigValue{ModPolicy: "foo", Value: protoutil.MarshalOrPanic(config)}
	}
}

// TestLimitsOfAuthorities: no CA gets into a channel with which every stranger could keep its nodes busy.
func TestLimitsOfAuthorities(t *testing.T) {
	good, key, large := authority(t, 8192, 10_000), authority(t, 8193, 0), authority(t, 2048, 16_384)
	for want, bad := range map[string][]byte{
		`MSP of foonamespace/Orderer/Org1: the RSA key of CA "CN=CA" has 8193 bits, and the limit is 8192`: key,
		"MSP of foonamespace/Orderer/Org1: a certificate of a CA has":                                      large,
	} {
		lists := [][]byte{good, bad}
		for place, with := range map[string]*mspprotos.FabricMSPConfig{
			"root": {RootCerts: lists}, "intermediate": {IntermediateCerts: lists}, "TLS root": {TlsRootCerts: lists}, "TLS intermediate": {TlsIntermediateCerts: lists},
		} {
			require.ErrorContains(t, change(t, nothing, withMSP(with)), want, place)
			with.Name = "changed"
			require.NoError(t, change(t, withMSP(&mspprotos.FabricMSPConfig{RootCerts: lists}), withMSP(with)), "it was there before: %s", place)
		}
	}
	require.NoError(t, change(t, nothing, withMSP(&mspprotos.FabricMSPConfig{RootCerts: [][]byte{good, []byte("no certificate")}})))
}
