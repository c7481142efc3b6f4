// SPDX-License-Identifier: Apache-2.0

package msgprocessor

import (
	"errors"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

func TestFailedPoliciesAreRecorded(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	message := &cb.Envelope{Payload: protoutil.MarshalOrPanic(&cb.Payload{Header: &cb.Header{
		ChannelHeader:   protoutil.MarshalOrPanic(&cb.ChannelHeader{ChannelId: "trade"}),
		SignatureHeader: protoutil.MarshalOrPanic(&cb.SignatureHeader{Creator: []byte("mallory")}),
	}})}
	require.NoError(t, NewSigFilter("/Channel/Writers", "", newMockResources(true, nil)).Apply(message))
	require.NotContains(t, strings.Join(lines.Entries(), "\n"), "security event")
	require.Error(t, NewSigFilter("/Channel/Writers", "", newMockResources(true, errors.New("not one of two"))).Apply(message))
	require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=policy-failed channel=trade rule=/Channel/Writers by=")
	require.Contains(t, strings.Join(lines.Entries(), "\n"), "not one of two")
}
