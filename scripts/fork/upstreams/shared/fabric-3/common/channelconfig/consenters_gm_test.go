// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"bytes"
	"encoding/pem"
	"slices"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	ab "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// next is a configuration with these consenters.
func next(consensus string, identities [][]byte, names ...string) *Bundle {
	channel, mapping := map[string]*cb.Capability{}, []*cb.Consenter{}
	for _, name := range names {
		channel[name] = &cb.Capability{}
	}
	for i, identity := range identities {
		mapping = append(mapping, &cb.Consenter{Id: uint32(i + 1), Host: "orderer", Port: uint32(7050 + i), Identity: identity})
	}
	return &Bundle{channelConfig: &ChannelConfig{
		protos: &ChannelProtos{Capabilities: &cb.Capabilities{Capabilities: channel}},
		ordererConfig: &OrdererConfig{protos: &OrdererProtos{
			ConsensusType: &ab.ConsensusType{Type: consensus}, Orderers: &cb.Orderers{ConsenterMapping: mapping},
		}},
	}}
}

// Each form of a consenter's identity that a channel with the capability refuses as that of a block's signer is refused before the
// configuration is ordered, and none without the capability, as stock Fabric has it.
func TestCheckConsenters(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	sm2, ecdsa := ca.NewPair(t, "localhost").SignCert, gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").CertPEM
	block, _ := pem.Decode(sm2)
	encode := func(b *pem.Block) []byte { return pem.EncodeToMemory(b) }
	for name, c := range map[string]struct {
		identity []byte
		why      string
	}{
		"SM2":           {sm2, ""},
		"ECDSA":         {ecdsa, ""},
		"text in front": {slices.Concat([]byte("Subject: orderer\n"), sm2), "something precedes it"},
		"text behind":   {slices.Concat(ecdsa, []byte("text\n")), "something follows it"},
		"chain":         {slices.Concat(sm2, ca.CertPEM), "something follows it"},
		"CRLF":          {bytes.ReplaceAll(ecdsa, []byte("\n"), []byte("\r\n")), "its lines"},
		"no last line":  {bytes.TrimSpace(sm2), "its lines"},
		"headers":       {encode(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: block.Bytes}), "it has headers"},
		"label":         {encode(&pem.Block{Type: "TRUSTED CERTIFICATE", Bytes: block.Bytes}), `its label is "TRUSTED CERTIFICATE"`},
		"DER":           {block.Bytes, "no PEM block"},
		"other DER":     {encode(&pem.Block{Type: "CERTIFICATE", Bytes: append(bytes.Clone(block.Bytes), 0)}), "x509"},
		"none":          {nil, "no PEM block"},
	} {
		t.Run(name, func(t *testing.T) {
			identities := [][]byte{sm2, c.identity, ecdsa}
			require.NoError(t, CheckConsenters(next(consensusBFT, identities, capabilities.ChannelV3_0)))
			require.NoError(t, CheckConsenters(next("etcdraft", identities, capabilities.ChannelV3_0, capabilities.ChannelGMV1)), "Raft does not read the value Orderers")
			for _, capability := range []string{capabilities.ChannelGMV1, capabilities.ChannelGMV2} {
				err := CheckConsenters(next(consensusBFT, identities, capabilities.ChannelV3_0, capability))
				if c.why == "" {
					require.NoError(t, err)
					continue
				}
				require.ErrorContains(t, err, "consenter 2 (orderer:7051): ")
				require.ErrorContains(t, err, c.why)
				require.ErrorContains(t, err, "replace-orderer")
			}
		})
	}
}
