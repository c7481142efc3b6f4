// SPDX-License-Identifier: Apache-2.0

package configtx

import (
	"fmt"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

// propose has an orderer judge an update of one value, whose policies anybody satisfies.
func propose(t *testing.T, value []byte, signatures int, readSet, writeSet *cb.ConfigGroup) error {
	t.Helper()
	judge, err := NewValidatorImpl(defaultChannel, makeConfig(makeConfigPair("foo", "foo", 0, []byte("foo"))), "foonamespace", defaultPolicyManager())
	require.NoError(t, err)
	if readSet == nil {
		readSet = makeConfigSet()
	}
	if writeSet == nil {
		writeSet = makeConfigSet(makeConfigPair("foo", "foo", 1, value))
	}
	update := &cb.ConfigUpdateEnvelope{ConfigUpdate: protoutil.MarshalOrPanic(&cb.ConfigUpdate{ChannelId: defaultChannel, ReadSet: readSet, WriteSet: writeSet})}
	for range signatures {
		update.Signatures = append(update.Signatures, &cb.ConfigSignature{})
	}
	header := &cb.Header{ChannelHeader: protoutil.MarshalOrPanic(&cb.ChannelHeader{Type: int32(cb.HeaderType_CONFIG_UPDATE)})}
	_, err = judge.ProposeConfigUpdate(&cb.Envelope{Payload: protoutil.MarshalOrPanic(&cb.Payload{Header: header, Data: protoutil.MarshalOrPanic(update)})})
	return err
}

// TestSignaturesOfAnUpdate: two bytes of a signature cost an orderer the bytes of the whole update.
func TestSignaturesOfAnUpdate(t *testing.T) {
	require.NoError(t, propose(t, make([]byte, 1<<10), 1000, nil, nil))
	require.NoError(t, propose(t, make([]byte, 10<<20), 12, nil, nil))
	require.ErrorContains(t, propose(t, make([]byte, 1<<10), 1001, nil, nil), "1001 signatures")
	require.ErrorContains(t, propose(t, make([]byte, 10<<20), 13, nil, nil), "13 signatures")
}

// chain is a group with these values at the end of a chain of groups.
func chain(depth, values int) *cb.ConfigGroup {
	group := &cb.ConfigGroup{ModPolicy: "foo", Values: map[string]*cb.ConfigValue{}}
	for i := range values {
		group.Values[fmt.Sprint(i)] = &cb.ConfigValue{ModPolicy: "foo"}
	}
	for range depth {
		group = &cb.ConfigGroup{ModPolicy: "foo", Groups: map[string]*cb.ConfigGroup{strings.Repeat("a", 240): group}}
	}
	group.Version = 1
	return group
}

// TestPathsOfAnUpdate: each element of a set is kept with the names of all groups above it.
func TestPathsOfAnUpdate(t *testing.T) {
	for name, set := range map[string]*cb.ConfigGroup{
		"values":        chain(20, 10_000),
		"groups":        chain(600, 0),
		"many elements": chain(0, 150_000),
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, propose(t, nil, 1, nil, set), "too many elements")
			require.ErrorContains(t, propose(t, nil, 1, set, nil), "too many elements")
		})
	}
	for name, set := range map[string]*cb.ConfigGroup{"large channel": chain(2, 20_000), "deep": chain(100, 0)} {
		require.NoError(t, propose(t, nil, 1, nil, set), name)
	}
}

// TestUnreadableUpdate: what cannot be read is refused, and ends nobody.
func TestUnreadableUpdate(t *testing.T) {
	for _, data := range [][]byte{{10, 5, 18}, {10, 3, 18, 9, 1}, {10, 6, 18, 4, 18, 2, 10, 9}, {18}} {
		require.Error(t, checkCost(&cb.Envelope{Payload: protoutil.MarshalOrPanic(&cb.Payload{Data: data})}), "%v", data)
	}
	require.Error(t, checkCost(&cb.Envelope{Payload: []byte{10}}))
}
