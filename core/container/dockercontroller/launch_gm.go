// SPDX-License-Identifier: Apache-2.0

package dockercontroller

import (
	"io"
	"strings"

	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"
	"github.com/spf13/viper"

	"github.com/hyperledger/fabric/core/chaincode/persistence"
	"github.com/hyperledger/fabric/core/config/tlsconfig"
	"github.com/hyperledger/fabric/core/container"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// Build refuses chaincode that could never register with this peer. Each installation comes by here, and so does each start of
// chaincode that was installed before the peer's mode changed. Without this, both would end at chaincode.startuptimeout.
//
//fork:wrap gm: Java and Node chaincode is refused if the peer waits for chaincode over TLCP, because their shims speak only TLS
func (vm *DockerVM) Build(ccid string, metadata *persistence.ChaincodePackageMetadata, codePackage io.Reader) (container.Instance, error) {
	key := tlsconfig.ChaincodeModeKey
	if viper.GetString(key) == string(comm.ModeGM) {
		switch language := strings.ToUpper(metadata.Type); language {
		case pb.ChaincodeSpec_JAVA.String(), pb.ChaincodeSpec_NODE.String():
			return nil, errors.Errorf("%s of this peer is %q, but shims of chaincode in %s speak only TLS: set %s to %q, which concerns launched chaincode only, and restart the peer",
				key, comm.ModeGM, language, key, comm.ModeTLS)
		}
	}
	return vm.upstreamBuild(ccid, metadata, codePackage)
}
