// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/attrmgr"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/kittest/fakenet"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// newPeer is a peer in front of the chaincode, and a function that sends it a transaction of one client.
func newPeer(t *testing.T) func(creator []byte, args ...string) (status int32, payload, event string) {
	t.Helper()
	chaincode, err := newChaincode()
	require.NoError(t, err)
	peer := fakenet.Peer(t, chaincode)
	return func(creator []byte, args ...string) (int32, string, string) {
		result, err := peer.Submit(fakepeer.Request{Creator: creator, Args: args})
		require.NoError(t, err)
		payload := string(result.Response.GetPayload())
		if result.Response.GetStatus() != shim.OK {
			payload = result.Response.GetMessage()
		}
		return result.Response.GetStatus(), payload, result.Event.GetEventName()
	}
}

// client is a serialized identity with an SM2 certificate; attributes is JSON as Fabric CA writes it, or empty.
func client(t *testing.T, mspID, attributes string) []byte {
	t.Helper()
	var extensions []pkix.Extension
	if attributes != "" {
		extensions = append(extensions, pkix.Extension{Id: attrmgr.AttrOID, Value: []byte(attributes)})
	}
	return serialized(t, mspID, gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "ca").Issue(t, pkix.Name{CommonName: "user"}, extensions...))
}

func serialized(t *testing.T, mspID string, user *gmtlstest.Leaf) []byte {
	t.Helper()
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: mspID, IdBytes: user.CertPEM})
	require.NoError(t, err)
	return creator
}

const issuerAttributes = `{"attrs":{"token.issuer":"true"}}`

func TestToken(t *testing.T) {
	send := newPeer(t)
	ok := func(creator []byte, want string, args ...string) (event string) {
		t.Helper()
		status, payload, event := send(creator, args...)
		require.EqualValues(t, shim.OK, status, payload)
		require.Equal(t, want, payload)
		return event
	}
	refused := func(creator []byte, want string, args ...string) {
		t.Helper()
		status, payload, _ := send(creator, args...)
		require.EqualValues(t, shim.ERROR, status, payload)
		require.Contains(t, payload, want)
	}
	issuer, user := client(t, issuerMSP, issuerAttributes), client(t, "Org2MSP", "")
	account := func(creator []byte) string {
		status, payload, _ := send(creator, "Account")
		require.EqualValues(t, shim.OK, status, payload)
		return payload
	}
	a, b := account(issuer), account(user)
	// The two certificates have one subject and one issuer: the organisation keeps the accounts apart.
	require.NotEqual(t, a, b)

	require.Equal(t, "Issue", ok(issuer, "", "Issue", a, "100"))
	require.Equal(t, "Transfer", ok(issuer, "", "Transfer", b, "30"))
	ok(user, "70", "Balance", a)
	ok(user, "30", "Balance", b)
	ok(user, "0", "Balance", "nobody")

	refused(user, "not "+issuerMSP, "Issue", b, "1")
	refused(client(t, "Org2MSP", issuerAttributes), "not "+issuerMSP, "Issue", b, "1")
	refused(client(t, issuerMSP, ""), `no attribute "token.issuer"`, "Issue", a, "1")
	refused(client(t, issuerMSP, `{"attrs":{"token.issuer":"false"}}`), `is "false"`, "Issue", a, "1")
	refused(user, "less than 31", "Transfer", a, "31")
	refused(user, "is the caller", "Transfer", b, "1")
	refused(user, "the amount is 0", "Transfer", a, "0")
	refused(user, "1 to 4096", "Transfer", "", "1")
	refused(issuer, "too large", "Issue", a, "18446744073709551615")
	refused(issuer, "", "Transfer", b, "-1")
	ok(user, "70", "Balance", a)
	ok(user, "30", "Balance", b)
}

// TestAccounts: names that differ in anything are different accounts, and a renewed certificate has the account of the old one.
func TestAccounts(t *testing.T) {
	send := newPeer(t)
	ca, other := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "ca"), gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "other")
	uid := func(value string) pkix.Name {
		return pkix.Name{CommonName: "user", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: value},
		}}
	}
	account := func(mspID string, leaf *gmtlstest.Leaf) string {
		status, payload, _ := send(serialized(t, mspID, leaf), "Account")
		require.EqualValues(t, shim.OK, status, payload)
		return payload
	}
	seen := map[string]string{}
	for name, is := range map[string]string{
		"first":                account("Org1MSP", ca.Issue(t, uid("1001"))),
		"another UID":          account("Org1MSP", ca.Issue(t, uid("1002"))),
		"no UID":               account("Org1MSP", ca.Issue(t, pkix.Name{CommonName: "user"})),
		"another issuer":       account("Org1MSP", other.Issue(t, uid("1001"))),
		"another organisation": account("Org2MSP", ca.Issue(t, uid("1001"))),
	} {
		require.Empty(t, seen[is], "%s has the account of another", name)
		seen[is] = name
	}
	require.Equal(t, "first", seen[account("Org1MSP", ca.Issue(t, uid("1001")))], "after a renewal")
}
