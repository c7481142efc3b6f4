// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"fmt"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"github.com/hyperledger/fabric/common/consenter"
)

// MarshalEtcdRaftMetadata puts the content of the files that the consenters' certificate fields name into their place. A file that
// the orderer would refuse as such a field is refused here, before a channel is made with it.
//
//fork:replace fix: files of consenters in DER are read, an SM2 encryption certificate and what cannot be read are refused by the file's name
func MarshalEtcdRaftMetadata(md *etcdraft.ConfigMetadata) ([]byte, error) {
	filled := proto.Clone(md).(*etcdraft.ConfigMetadata)
	for _, c := range filled.Consenters {
		for _, field := range []struct {
			name string
			cert *[]byte
		}{{"client", &c.ClientTlsCert}, {"server", &c.ServerTlsCert}} {
			text, err := consenter.ReadField(string(*field.cert))
			if err != nil {
				return nil, fmt.Errorf("cannot load %s cert for consenter %s:%d: %w", field.name, c.Host, c.Port, err)
			}
			*field.cert = text
		}
	}
	return proto.Marshal(filled)
}
