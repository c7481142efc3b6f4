// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"

	"github.com/hyperledger/fabric-protos-go/peer"
	"google.golang.org/grpc/codes"
)

// responseStatus says what the answer of an endorser means, as upstream does. An answer without a response is no endorsement.
//
//fork:wrap fix: an endorser of another organisation could end this peer with an answer that has no response
func responseStatus(response *peer.ProposalResponse, err error) (code codes.Code, message string, retry, remove bool) {
	if err == nil && response.GetResponse() == nil {
		return codes.Aborted, "the endorser's answer has no response", true, false
	}
	return upstreamResponseStatus(response, err)
}

// responseStatusFor is responseStatus for a client's call. If that has ended, an error shows nothing about the endorser.
func responseStatusFor(client context.Context, response *peer.ProposalResponse, err error) (code codes.Code, message string, retry, remove bool) {
	code, message, retry, remove = responseStatus(response, err)
	return code, message, retry && client.Err() == nil, remove && client.Err() == nil
}
