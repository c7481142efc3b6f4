// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"errors"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/discovery"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
)

func requestOf(queries ...*discovery.Query) *discovery.Request {
	return &discovery.Request{Authentication: &discovery.AuthInfo{ClientIdentity: []byte{1}}, Queries: queries}
}

func configQueries(n int, channels ...string) (queries []*discovery.Query) {
	for i := range n {
		queries = append(queries, &discovery.Query{
			Channel: channels[i%len(channels)], Query: &discovery.Query_ConfigQuery{ConfigQuery: &discovery.ConfigQuery{}},
		})
	}
	return queries
}

// TestClientsAreJudgedOnce: whether a client may ask is computed once for each channel of a request, not for each query, and again for the next.
func TestClientsAreJudgedOnce(t *testing.T) {
	for _, cached := range []bool{true, false} {
		support := &mockSupport{}
		support.On("ChannelExists", mock.Anything).Return(true)
		support.On("EligibleForService", "mine", mock.Anything).Return(nil)
		support.On("EligibleForService", "theirs", mock.Anything).Return(errors.New("no"))
		support.On("Config", "mine").Return(&discovery.ConfigResult{}, nil)
		hashed := 0
		defer func(earlier func(any) ([]byte, error)) { asBytes = earlier }(asBytes)
		earlier := asBytes
		asBytes = func(value any) ([]byte, error) { hashed++; return earlier(value) }
		service := NewService(Config{AuthCacheEnabled: cached, AuthCacheMaxSize: 10}, support)

		response, err := service.Discover(context.Background(), toSignedRequest(requestOf(configQueries(400, "mine", "theirs")...)))
		require.NoError(t, err)
		require.Len(t, response.Results, 400)
		for i, result := range response.Results {
			if i%2 == 0 {
				require.NotNil(t, result.GetConfigResult())
			} else {
				require.Equal(t, "access denied", result.GetError().GetContent())
			}
		}
		support.AssertNumberOfCalls(t, "EligibleForService", 2)
		require.LessOrEqual(t, hashed, 2)

		_, err = service.Discover(context.Background(), toSignedRequest(requestOf(append(configQueries(3, "mine"), &discovery.Query{Channel: "mine"})...)))
		require.NoError(t, err)
		judged := 3
		support.AssertNumberOfCalls(t, "EligibleForService", judged)
	}
}

// TestNobodyWaits: queries of a client that has gone are not answered.
func TestNobodyWaits(t *testing.T) {
	support := &mockSupport{}
	support.On("ChannelExists", mock.Anything).Return(true)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	response, err := NewService(Config{}, support).Discover(ctx, toSignedRequest(requestOf(configQueries(3, "mine")...)))
	require.NoError(t, err)
	require.Equal(t, "access denied", response.Results[2].GetError().GetContent())
	support.AssertNotCalled(t, "EligibleForService", mock.Anything, mock.Anything)
	support.AssertNotCalled(t, "Config", mock.Anything)
}

func interests(n int, calls ...*peer.ChaincodeCall) *discovery.Query {
	query := &discovery.ChaincodeQuery{}
	for range n {
		query.Interests = append(query.Interests, &peer.ChaincodeInterest{Chaincodes: calls})
	}
	return &discovery.Query{Channel: "mine", Query: &discovery.Query_CcQuery{CcQuery: query}}
}

// TestRequestsHaveBounds sends what would occupy a peer, and the most that is answered.
func TestRequestsHaveBounds(t *testing.T) {
	call := &peer.ChaincodeCall{Name: "asset"}
	collections := func(n int) *peer.ChaincodeCall {
		return &peer.ChaincodeCall{Name: "asset", CollectionNames: make([]string, n)}
	}
	filter := &discovery.Query{Channel: "mine", Query: &discovery.Query_PeerQuery{PeerQuery: &discovery.PeerMembershipQuery{
		Filter: &peer.ChaincodeInterest{Chaincodes: []*peer.ChaincodeCall{collections(maxParts - 2)}},
	}}}
	var principals []*common.SignaturePolicy
	for range 40 {
		principals = append(principals, &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{}})
	}
	half := &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: 20, Rules: principals}}}
	ofKey := &peer.ChaincodeCall{Name: "asset", KeyPolicies: []*common.SignaturePolicyEnvelope{{Rule: half}}}
	const tooMany = "more than 1000 parts"
	for name, test := range map[string]struct {
		request *discovery.Request
		want    string // in the error; "": none
	}{
		"many queries":         {requestOf(configQueries(maxParts, "mine")...), ""},
		"too many queries":     {requestOf(configQueries(maxParts+1, "mine")...), tooMany},
		"too many bytes":       {requestOf(&discovery.Query{Channel: string(make([]byte, maxPayload))}), "more than 1048576"},
		"many interests":       {requestOf(interests(499, call)), ""},
		"too many interests":   {requestOf(interests(500, call)), tooMany},
		"many collections":     {requestOf(interests(1, collections(maxParts-3))), ""},
		"too many collections": {requestOf(interests(1, collections(maxParts-2))), tooMany},
		"too many in a filter": {requestOf(filter), tooMany},
		"policies of keys":     {requestOf(interests(1, ofKey)), "more than 256 sets of principals"},
	} {
		t.Run(name, func(t *testing.T) {
			support := &mockSupport{}
			support.On("ChannelExists", mock.Anything).Return(true)
			support.On("EligibleForService", "mine", mock.Anything).Return(nil)
			support.On("Config", "mine").Return(&discovery.ConfigResult{}, nil)
			support.On("PeersForEndorsement", "asset").Return(&discovery.EndorsementDescriptor{}, nil)
			_, err := NewService(Config{}, support).Discover(context.Background(), toSignedRequest(test.request))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			support.AssertNotCalled(t, "EligibleForService", mock.Anything, mock.Anything)
		})
	}
}

// TestLongestRequest: a request of maxPayload bytes is answered, one of a byte more is not.
func TestLongestRequest(t *testing.T) {
	support := &mockSupport{}
	support.On("ChannelExists", mock.Anything).Return(false)
	long := func(n int) *discovery.SignedRequest {
		return toSignedRequest(requestOf(&discovery.Query{Channel: string(make([]byte, n))}))
	}
	const n = maxPayload - 100
	around := len(long(n).Payload) - n // bytes beside the name; as many for each name of about this length
	require.Len(t, long(maxPayload-around).Payload, maxPayload)
	_, err := NewService(Config{}, support).Discover(context.Background(), long(maxPayload-around))
	require.NoError(t, err)
	_, err = NewService(Config{}, support).Discover(context.Background(), long(maxPayload-around+1))
	require.ErrorContains(t, err, "a request of 1048577 bytes, more than 1048576")
}

// TestAnswersHaveABound: small queries for a large answer get it a few times, and then an error.
func TestAnswersHaveABound(t *testing.T) {
	support := &mockSupport{}
	support.On("ChannelExists", mock.Anything).Return(true)
	support.On("EligibleForService", "mine", mock.Anything).Return(nil)
	large := string(make([]byte, 1<<20))
	support.On("Config", "mine").Return(&discovery.ConfigResult{Orderers: map[string]*discovery.Endpoints{large: {}}}, nil)
	support.On("PeersForEndorsement", "asset").Return(&discovery.EndorsementDescriptor{Chaincode: large}, nil)
	discover := func(queries ...*discovery.Query) []*discovery.QueryResult {
		response, err := NewService(Config{}, support).Discover(context.Background(), toSignedRequest(requestOf(queries...)))
		require.NoError(t, err)
		return response.Results
	}
	const whole = unmeasured + maxAnswer>>20 // answers, the last of which passes the bound

	results := discover(configQueries(1000, "mine")...)
	support.AssertNumberOfCalls(t, "Config", whole)
	require.NotNil(t, results[whole-1].GetConfigResult())
	require.Equal(t, errAnswer.Error(), results[whole].GetError().GetContent())

	asset := &peer.ChaincodeCall{Name: "asset"}
	results = discover(interests(400, asset))
	support.AssertNumberOfCalls(t, "PeersForEndorsement", whole)
	require.NotNil(t, results[0].GetError())

	results = discover(interests(20, asset), interests(20, asset), interests(20, asset))
	require.Len(t, results[0].GetCcQueryRes().GetContent(), 20)
	require.NotNil(t, results[2].GetError())
}

// TestInterestsOfAClientThatWent: once a client has gone, no further interest of its query is answered.
func TestInterestsOfAClientThatWent(t *testing.T) {
	support := &mockSupport{}
	support.On("ChannelExists", mock.Anything).Return(true)
	support.On("EligibleForService", "mine", mock.Anything).Return(nil)
	ctx, cancel := context.WithCancel(context.Background())
	support.On("PeersForEndorsement", "asset").Return(&discovery.EndorsementDescriptor{}, nil).Run(func(mock.Arguments) { cancel() })
	_, err := NewService(Config{}, support).Discover(ctx, toSignedRequest(requestOf(interests(20, &peer.ChaincodeCall{Name: "asset"}))))
	require.NoError(t, err)
	support.AssertNumberOfCalls(t, "PeersForEndorsement", 1)
}
