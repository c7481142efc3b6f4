// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"slices"
	"testing"

	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
)

// TestListsOnce: a list with a wrong signature is verified once, however often it names a certificate, and whoever has one of this number.
func TestListsOnce(t *testing.T) {
	logger, log := floggingtest.NewTestLogger(t)
	defer func(was *flogging.FabricLogger) { mspLogger = was }(mspLogger)
	mspLogger = logger
	verified := func() int { return len(log.MessagesContaining("signature")) }

	root := newRoot(t, familyECDSA, "root")
	middle := root.issue(t, familyECDSA, asCA(template(t, "middle")))
	peer := middle.issue(t, familyECDSA, template(t, "peer", "peer"))
	namesake := template(t, "namesake", "peer")
	namesake.SerialNumber = peer.cert.SerialNumber
	wrong := [][]byte{
		root.crl(t, familyECDSA.key(t), slices.Repeat([]credential{middle}, 100)...),
		middle.crl(t, familyECDSA.key(t), slices.Repeat([]credential{peer}, 100)...),
	}
	config := func(lists ...[]byte) *m.FabricMSPConfig {
		return &m.FabricMSPConfig{
			RootCerts: [][]byte{root.pem()}, IntermediateCerts: slices.Repeat([][]byte{middle.pem()}, 100), FabricNodeOus: nodeOUs(credential{}),
			RevocationList: slices.Concat(wrong, lists),
		}
	}
	target := mustSetup(t, config())
	require.Equal(t, 1, verified(), "the intermediate's")
	require.NoError(t, validate(t, target, peer))
	require.NoError(t, validate(t, target, middle.issue(t, familyECDSA, namesake)))
	require.NoError(t, validate(t, target, middle.issue(t, familyECDSA, template(t, "another", "peer"))))
	require.Equal(t, 2, verified())

	target = mustSetup(t, config(middle.crl(t, middle.key, peer)))
	for range 2 {
		require.ErrorContains(t, validate(t, target, peer), "revoked")
	}
	require.NoError(t, validate(t, target, middle.issue(t, familyECDSA, template(t, "another", "peer"))))
	_, err := setup(t, config(root.crl(t, root.key, middle)))
	require.ErrorContains(t, err, "revoked")
}

// TestListsKept: what is kept has a bound, and what is not kept is found out each time.
func TestListsKept(t *testing.T) {
	var k knownLists
	first, second := newRoot(t, familyECDSA, "first").cert, newRoot(t, familyECDSA, "second").cert
	k.forget()
	k.under(first, listsKeptAtMost)[0].Store(listSigned)
	require.EqualValues(t, listSigned, k.under(first, listsKeptAtMost)[0].Load())
	k.under(second, 1)[0].Store(listSigned)
	require.EqualValues(t, listUnknown, k.under(second, 1)[0].Load())
	k.forget()
	require.EqualValues(t, listUnknown, k.under(first, listsKeptAtMost)[0].Load())
}
