// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"

	"github.com/hyperledger/fabric-protos-go/discovery"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/interest"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/pkg/errors"
)

// Bounds on one request. Without them a small request could ask for any amount of work and memory.
const (
	maxPayload = 1 << 20 // bytes of the signed part
	maxParts   = 1000    // queries, and what package interest counts in their interests
)

// Discover answers the queries of a request.
//
//fork:wrap fix: a request has bounds, its client is judged once for each channel, and work ends when the client has gone
func (s *Service) Discover(ctx context.Context, request *discovery.SignedRequest) (*discovery.Response, error) {
	if n := len(request.GetPayload()); n > maxPayload {
		err := errors.Errorf("a request of %d bytes, more than %d", n, maxPayload)
		logger.Warningf("Refusing a request: %s", err)
		return nil, err
	}
	// All queries of a request have the same client and signature.
	once := &Service{
		config:             s.config,
		channelDispatchers: s.channelDispatchers,
		localDispatchers:   s.localDispatchers,
		auth:               newAuthCache(&judgedOnce{acSupport: s.auth, ctx: ctx, verdicts: map[string]error{}}, authCacheConfig{}),
		Support:            s.Support,
	}
	return once.upstreamDiscover(ctx, request)
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
