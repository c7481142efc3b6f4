// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// bftBlock is a config block of a channel with the capabilities and, as its consenters, the identities.
func bftBlock(t *testing.T, tls []byte, identities [][]byte, capabilities ...string) []byte {
	t.Helper()
	pack := func(m proto.Message) []byte {
		data, err := proto.Marshal(m)
		require.NoError(t, err)
		return data
	}
	value := func(m proto.Message) *common.ConfigValue { return &common.ConfigValue{Value: pack(m)} }
	set, mapping := map[string]*common.Capability{}, []*common.Consenter{}
	for _, name := range capabilities {
		set[name] = &common.Capability{}
	}
	for i, identity := range identities {
		mapping = append(mapping, &common.Consenter{Id: uint32(i + 1), Host: "orderer", Port: uint32(7050 + i), MspId: "Org", Identity: identity, ClientTlsCert: tls, ServerTlsCert: tls})
	}
	group := &common.ConfigGroup{
		Values: map[string]*common.ConfigValue{"Capabilities": value(&common.Capabilities{Capabilities: set})},
		Groups: map[string]*common.ConfigGroup{"Orderer": {Values: map[string]*common.ConfigValue{
			"ConsensusType": value(&orderer.ConsensusType{Type: consensusBFT}), "Orderers": value(&common.Orderers{ConsenterMapping: mapping}),
		}}},
	}
	payload := pack(&common.Payload{Header: &common.Header{ChannelHeader: pack(&common.ChannelHeader{Type: int32(common.HeaderType_CONFIG)})},
		Data: pack(&common.ConfigEnvelope{Config: &common.Config{ChannelGroup: group}})})
	data := pack(&common.Envelope{Payload: payload})
	sum := sha256.Sum256(data)
	return pack(&common.Block{Header: &common.BlockHeader{DataHash: sum[:]}, Data: &common.BlockData{Data: [][]byte{data}}})
}

// TestConsentersOfAnotherForm: who turns GM_V1 on learns before which consenters' blocks peers would refuse, and afterwards which they refuse.
func TestConsentersOfAnotherForm(t *testing.T) {
	exact := gmtlstest.NewCA(t).NewPair(t, "localhost").SignCert
	identities := [][]byte{exact, slices.Concat([]byte("text\n"), exact), slices.Concat(exact, exact), []byte("none")}
	for _, c := range []struct {
		capabilities []string
		warning      bool
	}{{[]string{"V3_0"}, true}, {nil, true}, {[]string{"V3_0", "GM_V1"}, false}, {[]string{"GM_V2"}, false}} {
		name := gmtlstest.WriteFile(t, t.TempDir(), "config.block", bftBlock(t, exact, identities, c.capabilities...))
		r := &Report{now: time.Now()}
		require.NoError(t, r.upgrade(name))
		found := slices.DeleteFunc(slices.Clone(r.Findings), func(f cause.Finding) bool { return f.Cause != cause.IdentityForm })
		require.Len(t, found, 2, "%v", c.capabilities)
		for i, why := range []string{"something precedes it", "something follows it"} {
			require.Equal(t, c.warning, found[i].Warning)
			require.Contains(t, found[i].Detail, why)
			require.Contains(t, found[i].Remedy, "consortium update replace-orderer")
		}
		require.Contains(t, found[0].Detail, "consenter 2 of Org at orderer:7051 identity")
	}
}
