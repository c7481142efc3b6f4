// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"

	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
)

// VerifyAuthRequest checks the first message of a stream. Anyone whose connection the listener accepts may send it, to an orderer of
// Raft too.
//
//fork:wrap fix: a request for authentication without a timestamp is refused; it ended the orderer before anything was known about its sender
func (s *ClusterService) VerifyAuthRequest(stream orderer.ClusterNodeService_StepServer, request *orderer.ClusterNodeServiceStepRequest) (*orderer.NodeAuthRequest, error) {
	if auth := request.GetNodeAuthrequest(); auth != nil && auth.Timestamp == nil {
		return nil, errors.New("the request for authentication has no timestamp")
	}
	return s.upstreamVerifyAuthRequest(stream, request)
}
