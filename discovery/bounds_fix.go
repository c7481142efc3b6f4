// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/discovery"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/interest"
	"github.com/hyperledger/fabric/discovery/protoext"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/pkg/errors"
)

// Bounds on one request. Without them a small request could ask for any amount of work and memory.
const (
	maxPayload = 1 << 20 // bytes of the signed part
	maxParts   = 1000    // queries, and what package interest counts in their interests
	maxAnswer  = 32 << 20
	unmeasured = 16 // answers whose size does not count
)

var errAnswer = errors.Errorf("the answers to the earlier parts of the request have more than %d bytes", maxAnswer)

// Discover answers the queries of a request. What comes after maxAnswer bytes of answers is an error.
//
//fork:wrap fix: a request and its answer have bounds, its client is judged once for each channel, and work ends when the client has gone
func (s *Service) Discover(ctx context.Context, request *discovery.SignedRequest) (*discovery.Response, error) {
	if n := len(request.GetPayload()); n > maxPayload {
		err := errors.Errorf("a request of %d bytes, more than %d", n, maxPayload)
		logger.Warningf("Refusing a request: %s", err)
		return nil, err
	}
	// All queries of a request have the same client and signature.
	answers := &answers{Support: s.Support, ctx: ctx}
	once := &Service{
		config:  s.config,
		auth:    newAuthCache(&judgedOnce{acSupport: s.auth, ctx: ctx, verdicts: map[string]error{}}, authCacheConfig{}),
		Support: answers,
	}
	once.channelDispatchers = answers.bounded(s.channelDispatchers)
	once.localDispatchers = answers.bounded(s.localDispatchers)
	once.channelDispatchers[protoext.ChaincodeQueryType] = answers.bound(once.chaincodeQuery) // each of its interests counts
	return once.upstreamDiscover(ctx, request)
}

// answers counts the bytes of the answers to one request. One goroutine answers a request.
type answers struct {
	Support
	ctx         context.Context
	given, size int
}

func (a *answers) bounded(dispatchers map[protoext.QueryType]dispatcher) map[protoext.QueryType]dispatcher {
	res := map[protoext.QueryType]dispatcher{}
	for kind, answer := range dispatchers {
		res[kind] = a.bound(answer)
	}
	return res
}

func (a *answers) bound(answer dispatcher) dispatcher {
	return func(query *discovery.Query) *discovery.QueryResult {
		if a.size > maxAnswer {
			return wrapError(errAnswer)
		}
		before := a.size
		result := answer(query)
		a.size = max(a.size, before+a.sizeOf(result))
		return result
	}
}

// PeersForEndorsement answers for one of the interests in a query, unless the answer is long enough or the client has gone.
func (a *answers) PeersForEndorsement(channel common.ChannelID, interest *peer.ChaincodeInterest) (*discovery.EndorsementDescriptor, error) {
	if a.size > maxAnswer {
		return nil, errAnswer
	}
	if err := a.ctx.Err(); err != nil {
		return nil, err
	}
	descriptor, err := a.Support.PeersForEndorsement(channel, interest)
	if err == nil {
		a.size += a.sizeOf(descriptor)
	}
	return descriptor, err
}

// sizeOf returns the size of an encoded answer, but 0 for the first ones: to compute it leaves marks in a message, by which upstream's
// tests tell it from an equal one.
func (a *answers) sizeOf(answer proto.Message) int {
	if a.given++; a.given <= unmeasured {
		return 0
	}
	return proto.Size(answer)
}

// judgedOnce remembers, for one request, whether its client may ask for a channel. One goroutine answers a request.
type judgedOnce struct {
	acSupport
	ctx      context.Context
	verdicts map[string]error
}

// EligibleForService judges the client of the request at its first query for the channel. It refuses a client that has gone.
func (j *judgedOnce) EligibleForService(channel string, data protoutil.SignedData) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	verdict, known := j.verdicts[channel]
	if !known {
		verdict = j.acSupport.EligibleForService(channel, data)
		j.verdicts[channel] = verdict
	}
	return verdict
}

// validateStructure parses a request and checks that it belongs to its connection.
//
//fork:wrap fix: the queries of a request, and what they name, are bounded
func validateStructure(ctx context.Context, request *discovery.SignedRequest, tlsEnabled bool, certHash certHashExtractor) (*discovery.Request, error) {
	parsed, err := upstreamValidateStructure(ctx, request, tlsEnabled, certHash)
	if err == nil {
		err = checkParts(parsed)
	}
	if err != nil {
		return nil, err
	}
	return parsed, nil
}

func checkParts(request *discovery.Request) error {
	parts := len(request.Queries)
	for _, query := range request.Queries {
		asked := query.GetCcQuery().GetInterests()
		if filter := query.GetPeerQuery().GetFilter(); filter != nil {
			asked = []*peer.ChaincodeInterest{filter}
		}
		for _, each := range asked {
			n, err := interest.Check(each)
			if err != nil {
				return err
			}
			if parts += n; parts > maxParts {
				break
			}
		}
	}
	if parts > maxParts {
		return errors.Errorf("a request for the work of more than %d parts", maxParts)
	}
	return nil
}
