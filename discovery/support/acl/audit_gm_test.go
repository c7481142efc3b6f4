// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"errors"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

type answer struct{ err error }

func (a answer) VerifyByChannel(string, *protoutil.SignedData) error { return a.err }

// TestSecurityEvents queries discovery for a channel with and without the right to.
func TestSecurityEvents(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	by := protoutil.MarshalOrPanic(&msp.SerializedIdentity{Mspid: "Org9MSP", IdBytes: []byte("mallory")})
	signed := protoutil.SignedData{Identity: by}
	require.NoError(t, NewDiscoverySupport(answer{}, nil, nil).EligibleForService("trade", signed))
	require.Empty(t, lines.Entries())
	wrong := errors.New("no such right")
	require.Equal(t, wrong, NewDiscoverySupport(answer{wrong}, nil, nil).EligibleForService("trade", signed))
	require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=policy-failed channel=trade rule=discovery by=\""+
		protoutil.LogMessageForSerializedIdentity(by)+"\" reason=\"no such right\"")
}
