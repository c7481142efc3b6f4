// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestUpdateIsNotTakenForCertificates: who looks at an update before signing it is not told that nothing is wrong because the certificates
// in it can be read. That holds for each form, with signatures, and for one that can also be read as a block.
func TestUpdateIsNotTakenForCertificates(t *testing.T) {
	ca := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "added")
	org := member(t, &msp.FabricMSPConfig{Name: "PortMSP", RootCerts: [][]byte{ca.CertPEM}})
	update := packed(t, &common.ConfigUpdate{ChannelId: "trade", ReadSet: &common.ConfigGroup{}, WriteSet: &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Port": org}}})
	signed := packed(t, &common.ConfigUpdateEnvelope{ConfigUpdate: update, Signatures: []*common.ConfigSignature{{Signature: []byte("s")}}})
	header := packed(t, &common.ChannelHeader{Type: int32(common.HeaderType_CONFIG_UPDATE), ChannelId: "trade"})
	payload := packed(t, &common.Payload{Header: &common.Header{ChannelHeader: header}, Data: signed})
	asBlock := packed(t, &common.BlockData{Data: [][]byte{packed(t, &common.Envelope{Payload: packed(t, &common.Payload{})})}})
	for name, data := range map[string][]byte{
		"envelope":      packed(t, &common.Envelope{Payload: payload}),
		"a block, too":  packed(t, &common.Envelope{Payload: payload, Signature: asBlock}),
		"update alone":  update,
		"update signed": signed,
	} {
		out := inspected(t, "update.pb", data)
		require.Contains(t, out, "PROBLEM config-update: ", name)
		require.Contains(t, out, "consortium update show --block CONFIG --file ", name)
		require.NotContains(t, out, "nothing is wrong", name)
		require.Contains(t, out, "error:", name)
	}
	for name, data := range map[string][]byte{"certificate": ca.CertPEM, "DER": ca.Cert.Raw, "line feed": append([]byte("\n"), ca.CertPEM...), "block": raftBlock(t, nil, nil, nil, nil)} {
		require.NotContains(t, inspected(t, name, data), "config-update")
	}
}
