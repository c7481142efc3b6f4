// SPDX-License-Identifier: Apache-2.0

package node

import (
	"google.golang.org/grpc"

	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// secureDialOpts bounds what a member's peer can make this one keep of its answers.
//
//fork:wrap fix: the header fields of answers in gossip are bounded
func secureDialOpts(credSupport *comm.CredentialSupport) func() []grpc.DialOption {
	options := upstreamSecureDialOpts(credSupport)
	return func() []grpc.DialOption { return append(options(), comm.BoundAnswers()) }
}
