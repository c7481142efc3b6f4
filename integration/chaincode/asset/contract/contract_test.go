// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/kittest/fakenet"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// ledger is the contract behind a chaincode server, with a client of each of two organisations.
type ledger struct {
	*fakepeer.Peer
	org1, org2 []byte // SM2, ECDSA
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	chaincode, err := NewChaincode()
	require.NoError(t, err)
	return &ledger{Peer: fakenet.Peer(t, chaincode), org1: client(t, "Org1MSP", gmtlstest.SM2), org2: client(t, "Org2MSP", gmtlstest.ECDSA)}
}

func client(t *testing.T, mspID string, family gmtlstest.Family) []byte {
	t.Helper()
	user := gmtlstest.NewFamilyCA(t, family, "ca."+mspID).Issue(t, pkix.Name{CommonName: "user"})
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: mspID, IdBytes: user.CertPEM})
	require.NoError(t, err)
	return creator
}

// submit runs a transaction that must succeed, parses what it returns into out unless that is nil, and returns its event.
func (l *ledger) submit(t *testing.T, creator []byte, out any, args ...string) (event string, payload []byte) {
	t.Helper()
	result, err := l.Submit(fakepeer.Request{Creator: creator, Args: args})
	require.NoError(t, err)
	require.EqualValues(t, shim.OK, result.Response.GetStatus(), result.Response.GetMessage())
	if out != nil {
		require.NoError(t, json.Unmarshal(result.Response.GetPayload(), out), "%s", result.Response.GetPayload())
	}
	require.Zero(t, l.OpenQueries(), "an iterator was left open")
	return result.Event.GetEventName(), result.Event.GetPayload()
}

// refuse runs a transaction that must fail with that message and leave no trace.
func (l *ledger) refuse(t *testing.T, creator []byte, want string, args ...string) {
	t.Helper()
	before := l.PublicKeys("")
	result, err := l.Submit(fakepeer.Request{Creator: creator, Args: args})
	require.NoError(t, err)
	require.EqualValues(t, shim.ERROR, result.Response.GetStatus(), "%s", result.Response.GetPayload())
	require.Contains(t, result.Response.GetMessage(), want)
	require.Equal(t, before, l.PublicKeys(""))
}

func TestAssetLife(t *testing.T) {
	l := newLedger(t)
	want := Asset{ID: "a1", Color: "blue", Size: 5, Owner: "张三", OwnerMSP: "Org1MSP", Value: 300}

	var got Asset
	event, payload := l.submit(t, l.org1, &got, "CreateAsset", "a1", "blue", "5", "张三", "300")
	require.Equal(t, want, got)
	require.Equal(t, "CreateAsset", event)
	require.NoError(t, json.Unmarshal(payload, &got))
	require.Equal(t, want, got)

	l.refuse(t, l.org1, "exists already", "CreateAsset", "a1", "red", "1", "x", "1")
	l.refuse(t, l.org2, "belongs to Org1MSP", "UpdateAsset", "a1", "red", "1", "1")
	l.refuse(t, l.org2, "belongs to Org1MSP", "TransferAsset", "a1", "x", "Org2MSP")
	l.refuse(t, l.org2, "belongs to Org1MSP", "DeleteAsset", "a1")

	event, _ = l.submit(t, l.org1, nil, "UpdateAsset", "a1", "red", "6", "301")
	require.Equal(t, "UpdateAsset", event)
	event, _ = l.submit(t, l.org1, nil, "TransferAsset", "a1", "李四", "Org2MSP")
	require.Equal(t, "TransferAsset", event)
	want = Asset{ID: "a1", Color: "red", Size: 6, Owner: "李四", OwnerMSP: "Org2MSP", Value: 301}
	var read Asset
	l.submit(t, l.org2, &read, "ReadAsset", "a1")
	require.Equal(t, want, read)

	l.refuse(t, l.org1, "belongs to Org2MSP", "DeleteAsset", "a1")
	event, _ = l.submit(t, l.org2, nil, "DeleteAsset", "a1")
	require.Equal(t, "DeleteAsset", event)
	l.refuse(t, l.org2, "does not exist", "ReadAsset", "a1")
	require.Empty(t, l.PublicKeys(""), "the index goes with the asset")
	var exists bool
	l.submit(t, l.org1, &exists, "AssetExists", "a1")
	require.False(t, exists)

	var history []Revision
	l.submit(t, l.org1, &history, "GetAssetHistory", "a1")
	require.Len(t, history, 4)
	require.True(t, history[0].Deleted)
	require.Nil(t, history[0].Asset)
	require.Equal(t, &want, history[1].Asset)
	require.Equal(t, "blue", history[3].Asset.Color)
	for _, revision := range history {
		require.Len(t, revision.TxID, 64)
		_, err := time.Parse(time.RFC3339Nano, revision.Timestamp)
		require.NoError(t, err)
	}
}

func TestRefusedArguments(t *testing.T) {
	l := newLedger(t)
	l.refuse(t, l.org1, "id is empty", "CreateAsset", "", "blue", "5", "x", "1")
	l.refuse(t, l.org1, "conversion", "CreateAsset", "a", "blue", "five", "x", "1")
	l.refuse(t, l.org1, "over", "CreateAsset", "a", string(make([]byte, maxText+1)), "5", "x", "1")
	l.refuse(t, l.org1, "UTF-8", "CreateAsset", "a", "\xff", "5", "x", "1")
	l.refuse(t, l.org1, "not found", "NoSuchFunction")
	l.refuse(t, l.org1, "page size", "GetAssetsPage", "", "", "0", "")
	l.refuse(t, l.org1, "page size", "GetAssetsByOwner", "x", "1001", "")
	l.submit(t, l.org1, nil, "CreateAsset", "a", "blue", "5", "x", "1")
	l.refuse(t, l.org1, "MSP id is empty", "TransferAsset", "a", "y", "")
	l.refuse(t, []byte("garbage"), "cid:", "CreateAsset", "b", "blue", "5", "x", "1")
}

func TestQueries(t *testing.T) {
	l := newLedger(t)
	for i := range 7 {
		l.submit(t, l.org1, nil, "CreateAsset", fmt.Sprintf("a%d", i), "blue", "1", []string{"even", "odd"}[i%2], "1")
	}
	ids := func(assets []*Asset) (out []string) {
		for _, a := range assets {
			out = append(out, a.ID)
		}
		return out
	}
	var assets []*Asset
	l.submit(t, l.org1, &assets, "GetAssetsByRange", "", "")
	require.Equal(t, []string{"a0", "a1", "a2", "a3", "a4", "a5", "a6"}, ids(assets), "index keys do not show")
	l.submit(t, l.org1, &assets, "GetAssetsByRange", "a2", "a4")
	require.Equal(t, []string{"a2", "a3"}, ids(assets))
	l.submit(t, l.org1, &assets, "GetAssetsByRange", "x", "")
	require.Empty(t, assets)

	pages := func(args func(bookmark string) []string) (out [][]string) {
		bookmark := ""
		for range 10 {
			var page Page
			l.submit(t, l.org1, &page, args(bookmark)...)
			out = append(out, ids(page.Assets))
			if bookmark = page.Bookmark; bookmark == "" {
				return out
			}
		}
		t.Fatal("the pages do not end")
		return nil
	}
	require.Equal(t, [][]string{{"a1", "a2", "a3"}, {"a4", "a5"}}, pages(func(bookmark string) []string {
		return []string{"GetAssetsPage", "a1", "a6", "3", bookmark}
	}))
	require.Equal(t, [][]string{{"a0", "a2", "a4"}, {"a6"}}, pages(func(bookmark string) []string {
		return []string{"GetAssetsByOwner", "even", "3", bookmark}
	}))
	require.Equal(t, [][]string{nil}, pages(func(bookmark string) []string {
		return []string{"GetAssetsByOwner", "eve", "3", bookmark}
	}), "an owner's name is not a prefix")

	l.submit(t, l.org1, nil, "TransferAsset", "a0", "odd", "Org1MSP")
	require.Equal(t, [][]string{{"a0", "a1", "a3", "a5"}}, pages(func(bookmark string) []string {
		return []string{"GetAssetsByOwner", "odd", "9", bookmark}
	}))
}

func TestPrivateDetails(t *testing.T) {
	const collection = "_implicit_org_Org1MSP"
	l := newLedger(t)
	l.submit(t, l.org1, nil, "CreateAsset", "a", "blue", "1", "x", "1")
	put := func(creator []byte, transient map[string]string) (int32, string) {
		m := map[string][]byte{}
		for k, v := range transient {
			m[k] = []byte(v)
		}
		result, err := l.Submit(fakepeer.Request{Creator: creator, Args: []string{"PutPrivateDetails", collection, "a"}, Transient: m})
		require.NoError(t, err)
		return result.Response.GetStatus(), result.Response.GetMessage()
	}
	details := `{"appraisal":400,"remark":"rare","salt":"0123456789abcdef"}`
	for _, tc := range []struct {
		creator   []byte
		transient map[string]string
		want      string
	}{
		{l.org2, map[string]string{"details": details}, "belongs to Org1MSP"},
		{l.org1, nil, "missing"},
		{l.org1, map[string]string{"details": `{"appraisal":"secret"}`}, "is not the JSON"},
		{l.org1, map[string]string{"details": `{"appraisal":1,"salt":"short"}`}, "salt"},
	} {
		status, message := put(tc.creator, tc.transient)
		require.EqualValues(t, shim.ERROR, status)
		require.Contains(t, message, tc.want)
		require.NotContains(t, message, "secret")
	}
	l.refuse(t, l.org1, "no private details", "ReadPrivateDetails", collection, "a")
	l.refuse(t, l.org1, "no private details", "GetPrivateDetailsHash", collection, "a")

	status, message := put(l.org1, map[string]string{"details": details})
	require.EqualValues(t, shim.OK, status, message)
	var read PrivateDetails
	l.submit(t, l.org1, &read, "ReadPrivateDetails", collection, "a")
	require.Equal(t, PrivateDetails{Appraisal: 400, Remark: "rare", Salt: "0123456789abcdef"}, read)
	result, err := l.Evaluate(fakepeer.Request{Creator: l.org2, Args: []string{"GetPrivateDetailsHash", collection, "a"}})
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(details))
	require.Equal(t, hex.EncodeToString(sum[:]), string(result.Response.GetPayload()))

	l.refuse(t, l.org2, "belongs to Org1MSP", "DeletePrivateDetails", collection, "a")
	l.submit(t, l.org1, nil, "DeletePrivateDetails", collection, "a")
	l.refuse(t, l.org1, "no private details", "ReadPrivateDetails", collection, "a")

	status, message = put(l.org1, map[string]string{"details": details})
	require.EqualValues(t, shim.OK, status, message)
	l.refuse(t, l.org2, "belongs to Org1MSP", "PurgePrivateDetails", collection, "a")
	l.submit(t, l.org1, nil, "PurgePrivateDetails", collection, "a")
	l.refuse(t, l.org1, "no private details", "ReadPrivateDetails", collection, "a")
}

func TestWhoAmI(t *testing.T) {
	l := newLedger(t)
	var caller Caller
	l.submit(t, l.org1, &caller, "WhoAmI")
	require.Equal(t, "Org1MSP", caller.MSPID)
	require.Equal(t, "EC sm2p256v1", caller.KeyAlgorithm)
	require.NotEmpty(t, caller.ID)
	l.submit(t, l.org2, &caller, "WhoAmI")
	require.Equal(t, "Org2MSP", caller.MSPID)
	require.Equal(t, "EC P-256", caller.KeyAlgorithm)
	l.refuse(t, []byte("garbage"), "cid:", "WhoAmI")
}

func TestMetadataMarksEvaluations(t *testing.T) {
	l := newLedger(t)
	var metadata struct {
		Contracts map[string]struct {
			Transactions []struct {
				Name string   `json:"name"`
				Tag  []string `json:"tag"`
			} `json:"transactions"`
		} `json:"contracts"`
	}
	l.submit(t, l.org1, &metadata, "org.hyperledger.fabric:GetMetadata")
	tags := map[string][]string{}
	for _, tx := range metadata.Contracts["asset"].Transactions {
		tags[tx.Name] = tx.Tag
	}
	for _, name := range new(Contract).GetEvaluateTransactions() {
		require.Contains(t, tags, name, "GetEvaluateTransactions names a function that does not exist")
		require.Contains(t, tags[name], "evaluate")
	}
	require.Len(t, tags, 10+6)
	require.NotContains(t, tags["CreateAsset"], "evaluate")
}
