// SPDX-License-Identifier: Apache-2.0

package extcc

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/core/container/ccintf"
)

// errWrongName is in the errors of streams whose chaincode has another name than the one that was dialled.
var errWrongName = errors.New("the peer does not serve chaincode under the name of another")

// Stream serves the chaincode that is a service. Nothing else compares its name with the package that named its address.
//
//fork:wrap fix: chaincode as a service registers by the name of the package that named its address
func (i *ExternalChaincodeRuntime) Stream(ccid string, ccinfo *ccintf.ChaincodeServerInfo, sHandler StreamHandler) error {
	named := &namedHandler{StreamHandler: sHandler, ccid: ccid}
	if err := i.upstreamStream(ccid, ccinfo, named); err != nil {
		return err
	}
	if errors.Is(named.ended, errWrongName) {
		extccLogger.Errorf("Chaincode at %s: %s", ccinfo.Address, named.ended)
		return named.ended
	}
	return nil
}

// namedHandler hands on a stream whose chaincode has one name.
type namedHandler struct {
	StreamHandler
	ccid  string
	ended error
}

// HandleChaincodeStream keeps why the stream ended, as upstream's Stream drops it.
func (h *namedHandler) HandleChaincodeStream(stream ccintf.ChaincodeStream) error {
	h.ended = h.StreamHandler.HandleChaincodeStream(&namedStream{ChaincodeStream: stream, ccid: h.ccid})
	return h.ended
}

// namedStream refuses to register another name.
type namedStream struct {
	ccintf.ChaincodeStream
	ccid string
}

// Recv returns the next message of the chaincode.
func (s *namedStream) Recv() (*pb.ChaincodeMessage, error) {
	msg, err := s.ChaincodeStream.Recv()
	if err != nil || msg.GetType() != pb.ChaincodeMessage_REGISTER {
		return msg, err
	}
	id := &pb.ChaincodeID{}
	if err := proto.Unmarshal(msg.Payload, id); err != nil {
		return nil, fmt.Errorf("%w: it registers with what is no name: %w", errWrongName, err)
	}
	if id.Name != s.ccid {
		return nil, fmt.Errorf("%w: it registers as %.100q, and the peer dialled it as %q; start it with CHAINCODE_ID=%[3]s, or correct the address in connection.json of this package",
			errWrongName, id.Name, s.ccid)
	}
	return msg, nil
}
