// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/consenter"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestConsenterFiles: the metadata has what the orderer takes, and a file that it would refuse makes no channel.
func TestConsenterFiles(t *testing.T) {
	dir := t.TempDir()
	ca := gmtlstest.NewCA(t)
	pair := ca.NewPair(t, "localhost").Write(t, dir, "orderer")
	md := func(client, server string) *etcdraft.ConfigMetadata {
		return &etcdraft.ConfigMetadata{Consenters: []*etcdraft.Consenter{{
			Host: "orderer", Port: 7050, ClientTlsCert: []byte(client), ServerTlsCert: []byte(server),
		}}}
	}
	packed, err := MarshalEtcdRaftMetadata(md(pair.SignCert, pair.SignCert))
	require.NoError(t, err)
	var got etcdraft.ConfigMetadata
	require.NoError(t, proto.Unmarshal(packed, &got))
	require.Contains(t, string(got.Consenters[0].ClientTlsCert), "BEGIN CERTIFICATE")

	_, err = MarshalEtcdRaftMetadata(md(pair.EncCert, pair.SignCert))
	require.ErrorIs(t, err, consenter.ErrEncryption)
	require.ErrorContains(t, err, "cannot load client cert for consenter orderer:7050: "+pair.EncCert)
	_, err = MarshalEtcdRaftMetadata(md(pair.SignCert, pair.EncCert))
	require.ErrorContains(t, err, "cannot load server cert for consenter orderer:7050: "+pair.EncCert)
	_, err = MarshalEtcdRaftMetadata(md(pair.SignKey, pair.SignCert))
	require.ErrorContains(t, err, pair.SignKey)
}
