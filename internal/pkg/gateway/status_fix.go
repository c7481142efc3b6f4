// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"

	"github.com/hyperledger/fabric-protos-go/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// responseStatus says what the answer of an endorser means, as upstream does. An answer without a response is no endorsement,
// and only a connection that does not serve is closed.
//
//fork:wrap fix: an answer of an endorser without a response ended the peer, and proposals of strangers had it close its connections to endorsers
func responseStatus(response *peer.ProposalResponse, err error) (code codes.Code, message string, retry, remove bool) {
	if err == nil && response.GetResponse() == nil {
		return codes.Aborted, "the endorser's answer has no response", true, false
	}
	code, message, retry, remove = upstreamResponseStatus(response, err)
	return code, message, retry, remove && !answered(err)
}

// answered reports whether an error is what an endorser answered over its connection, as to a proposal with a wrong signature or when it has
// too many calls. Upstream takes each error without a response for that of a connection that is broken.
func answered(err error) bool {
	code := status.Code(err)
	return err != nil && code != codes.Unavailable && code != codes.DeadlineExceeded
}

// removeEndorser takes an endorser out of the registry and closes its connection. If another call has done so, it leaves what has
// taken its place.
//
//fork:replace fix: calls that failed together left connections to an endorser that nobody closed
func (reg *registry) removeEndorser(endorser *endorser) {
	reg.configLock.Lock()
	current := reg.remoteEndorsers[endorser.address] == endorser
	if current {
		delete(reg.remoteEndorsers, endorser.address)
	}
	reg.configLock.Unlock()
	if !current {
		return
	}
	if err := endorser.closeConnection(); err != nil {
		reg.logger.Errorw("Cannot close the connection to an endorser", "address", endorser.address, "mspid", endorser.mspid, "err", err)
	}
}

// responseStatusFor is responseStatus for a client's call. If that has ended, an error shows nothing about the endorser.
func responseStatusFor(client context.Context, response *peer.ProposalResponse, err error) (code codes.Code, message string, retry, remove bool) {
	code, message, retry, remove = responseStatus(response, err)
	return code, message, retry && client.Err() == nil, remove && client.Err() == nil
}
