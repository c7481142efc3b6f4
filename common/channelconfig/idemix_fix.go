// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"fmt"

	"github.com/golang/protobuf/proto"
	mspprotos "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/msp"
)

// setUp sets up an MSP. The library of Idemix panics at the public key of an issuer that it cannot import, unless it knows why: at an
// empty one, and at each at which its own calculations panic. One organisation may propose such a key as its own, an orderer judges it while
// it answers a client, and nobody above recovers. The verdict depends on the configuration alone.
func (bh *MSPConfigHandler) setUp(config *mspprotos.MSPConfig) (proposed msp.MSP, err error) {
	if config.GetType() == int32(msp.IDEMIX) {
		defer func() {
			if reason := recover(); reason != nil {
				idemix := &mspprotos.IdemixMSPConfig{}
				_ = proto.Unmarshal(config.Config, idemix) // the library has read it; otherwise the name is missing
				proposed, err = nil, fmt.Errorf("the Idemix MSP %q cannot be set up; set its field ipk to the issuer's public key (%d bytes now): %v",
					idemix.Name, len(idemix.Ipk), reason)
			}
		}()
	}
	return bh.upstreamProposeMSP(config)
}
