// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/kittest/fakepeer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// texts are the messages of a transaction and of both streams, as the gateway client makes them.
func texts(t *testing.T) map[kind][]byte {
	t.Helper()
	s := newSite(t, newNetwork(t), gmtlstest.SM2)
	s.all(t)
	s.propose(t)
	messages := map[kind][]byte{}
	for k := range readers {
		text, err := os.ReadFile(filepath.Join(s.dir, string(k)))
		require.NoError(t, err)
		messages[k], err = messageOf(k, text)
		require.NoError(t, err)
	}
	return messages
}

// TestOneReading: each text is read as what it is, and as nothing else.
func TestOneReading(t *testing.T) {
	for is, message := range texts(t) {
		for as, reader := range readers {
			_, err := reader(message)
			require.Equal(t, is == as, err == nil, "a %s read as %s: %v", is, as, err)
		}
	}
}

// TestTwoReadings: should readers ever overlap, nothing is signed.
func TestTwoReadings(t *testing.T) {
	readers["anything"] = func([]byte) (*content, error) { return &content{}, nil }
	defer delete(readers, "anything")
	message, err := proto.Marshal(&common.Payload{})
	require.NoError(t, err)
	_, err = read("anything", message)
	require.NoError(t, err)
	readers["all"] = readers["anything"]
	defer delete(readers, "all")
	_, err = read("anything", message)
	require.ErrorContains(t, err, "as anything and as all")
}

// TestShownIsSigned changes each byte of the texts in turn, in each bit. What is then read at all shows something else.
func TestShownIsSigned(t *testing.T) {
	for k, message := range texts(t) {
		shown, err := read(k, message)
		require.NoError(t, err)
		for at := range message {
			for bit := range 8 {
				changed := append([]byte{}, message...)
				changed[at] ^= 1 << bit
				other, err := read(k, changed)
				if err == nil && other.lines == shown.lines && string(other.certificate) == string(shown.certificate) {
					t.Errorf("%s: byte %d of %x changed to %x shows the same", k, at, message[max(0, at-8):at+1], changed[at])
				}
			}
		}
	}
}

// change reads a message, changes it and writes it again.
func change[T proto.Message](t *testing.T, m T, text []byte, alter func(T)) []byte {
	t.Helper()
	require.NoError(t, proto.Unmarshal(text, m))
	alter(m)
	changed, err := proto.Marshal(m)
	require.NoError(t, err)
	return changed
}

// field is one field of a message, in bytes.
func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

// proposalWith changes what a proposal calls.
func proposalWith(t *testing.T, message []byte, alter func(input []byte) []byte) []byte {
	return change(t, &peer.Proposal{}, message, func(p *peer.Proposal) {
		p.Payload = change(t, &peer.ChaincodeProposalPayload{}, p.GetPayload(), func(c *peer.ChaincodeProposalPayload) {
			c.Input = alter(c.GetInput())
		})
	})
}

// headerWith changes the channel header of a proposal.
func headerWith(t *testing.T, message []byte, alter func(*common.ChannelHeader)) []byte {
	return change(t, &peer.Proposal{}, message, func(p *peer.Proposal) {
		p.Header = change(t, &common.Header{}, p.GetHeader(), func(h *common.Header) {
			h.ChannelHeader = change(t, &common.ChannelHeader{}, h.GetChannelHeader(), alter)
		})
	})
}

// TestRefusedTexts: texts that say more than they show, or might be taken for another kind.
func TestRefusedTexts(t *testing.T) {
	m := texts(t)
	asChannel := change(t, &gateway.ChaincodeEventsRequest{}, m[events], func(r *gateway.ChaincodeEventsRequest) {
		r.ChannelId = "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
	})
	for name, tc := range map[string]struct {
		kind    kind
		message []byte
		want    string
	}{
		"nothing":                            {proposal, nil, "Proposal is missing"},
		"a proposal as commit":               {commit, m[proposal], "it is not a text of kind commit"},
		"events of a channel like an id":     {events, asChannel, "not the name of a channel"},
		"commit of it":                       {commit, asChannel, "not known here"},
		"an unknown field":                   {commit, append(append([]byte{}, m[commit]...), field(9, []byte("x"))...), "not known here"},
		"an unknown field deep inside":       {proposal, proposalWith(t, m[proposal], func(b []byte) []byte { return append(b, field(2, []byte("x"))...) }), "not known here"},
		"a field twice":                      {commit, append(field(1, []byte("first")), m[commit]...), "unusual way"},
		"a header twice":                     {transaction, append(m[transaction][:len(m[transaction]):len(m[transaction])], field(1, nil)...), "unusual way"},
		"a type that is not a transaction's": {proposal, headerWith(t, m[proposal], func(h *common.ChannelHeader) { h.Type = int32(common.HeaderType_CONFIG) }), "of type CONFIG"},
		"an id of another nonce":             {proposal, headerWith(t, m[proposal], func(h *common.ChannelHeader) { h.TxId = strings.Repeat("0", len(h.TxId)) }), "transaction id"},
		"an epoch":                           {proposal, headerWith(t, m[proposal], func(h *common.ChannelHeader) { h.Epoch = 1 }), "epoch"},
		"an extension of another chaincode": {proposal, headerWith(t, m[proposal], func(h *common.ChannelHeader) {
			h.Extension = field(2, field(2, []byte("token")))
		}), "another chaincode"},
		"decorations": {proposal, proposalWith(t, m[proposal], func(b []byte) []byte {
			return change(t, &peer.ChaincodeInvocationSpec{}, b, func(i *peer.ChaincodeInvocationSpec) {
				i.ChaincodeSpec.Input.Decorations = map[string][]byte{"a": []byte("b")}
			})
		}), "more than a chaincode's name"},
		"transient data in a transaction": {transaction, change(t, &common.Payload{}, m[transaction], func(p *common.Payload) {
			p.Data = change(t, &peer.Transaction{}, p.GetData(), func(tx *peer.Transaction) {
				tx.Actions[0].Payload = change(t, &peer.ChaincodeActionPayload{}, tx.Actions[0].GetPayload(), func(a *peer.ChaincodeActionPayload) {
					a.ChaincodeProposalPayload = change(t, &peer.ChaincodeProposalPayload{}, a.GetChaincodeProposalPayload(), func(c *peer.ChaincodeProposalPayload) {
						c.TransientMap = map[string][]byte{"key": []byte("secret")}
					})
				})
			})
		}), "transient"},
		"two actions": {transaction, change(t, &common.Payload{}, m[transaction], func(p *common.Payload) {
			p.Data = change(t, &peer.Transaction{}, p.GetData(), func(tx *peer.Transaction) { tx.Actions = append(tx.Actions, tx.Actions[0]) })
		}), "2 actions"},
		"an action of another identity": {transaction, change(t, &common.Payload{}, m[transaction], func(p *common.Payload) {
			p.Data = change(t, &peer.Transaction{}, p.GetData(), func(tx *peer.Transaction) { tx.Actions[0].Header = []byte("x") })
		}), "another identity"},
		"an extension": {proposal, change(t, &peer.Proposal{}, m[proposal], func(p *peer.Proposal) { p.Extension = []byte("x") }), "an extension"},
		"a chaincode of the system": {proposal, proposalWith(t, m[proposal], func(b []byte) []byte {
			return change(t, &peer.ChaincodeInvocationSpec{}, b, func(i *peer.ChaincodeInvocationSpec) { i.ChaincodeSpec.ChaincodeId.Name = "_lifecycle" })
		}), "not the name of a chaincode"},
		"a nonce for blocks": {blocks, change(t, &common.Payload{}, m[blocks], func(p *common.Payload) {
			p.Header.SignatureHeader = change(t, &common.SignatureHeader{}, p.GetHeader().GetSignatureHeader(), func(h *common.SignatureHeader) { h.Nonce = []byte("x") })
		}), "more than a request for blocks"},
		"blocks for a transaction": {transaction, m[blocks], "it is not a text of kind transaction"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(tc.kind, tc.message)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestTransientIsShown by its digest alone.
func TestTransientIsShown(t *testing.T) {
	message := change(t, &peer.Proposal{}, texts(t)[proposal], func(p *peer.Proposal) {
		p.Payload = change(t, &peer.ChaincodeProposalPayload{}, p.GetPayload(), func(c *peer.ChaincodeProposalPayload) {
			c.TransientMap = map[string][]byte{"key": []byte("secret"), "other": []byte("x")}
		})
	})
	shown, err := read(proposal, message)
	require.NoError(t, err)
	require.Contains(t, shown.lines, `transient "key": 6 bytes, SHA-256 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b`)
	require.NotContains(t, shown.lines, "secret")
	require.Contains(t, shown.lines, "channel "+fakepeer.Channel)
}

// endorsedWith changes what the peers answered in a transaction.
func endorsedWith(t *testing.T, message []byte, alter func(*peer.ChaincodeEndorsedAction)) []byte {
	return change(t, &common.Payload{}, message, func(p *common.Payload) {
		p.Data = change(t, &peer.Transaction{}, p.GetData(), func(tx *peer.Transaction) {
			tx.Actions[0].Payload = change(t, &peer.ChaincodeActionPayload{}, tx.Actions[0].GetPayload(), func(a *peer.ChaincodeActionPayload) {
				alter(a.GetAction())
			})
		})
	})
}

// TestTextsDoNotRewriteTheTerminal: names of any form are shown on one line, without what moves the cursor.
func TestTextsDoNotRewriteTheTerminal(t *testing.T) {
	const evil = "a\x1b[2K\r\n  writes nothing"
	values, err := proto.Marshal(&kvrwset.KVRWSet{
		Writes:         []*kvrwset.KVWrite{{Key: evil, Value: []byte(evil)}, {Key: evil, IsDelete: true}},
		MetadataWrites: []*kvrwset.KVMetadataWrite{{Key: evil}},
	})
	require.NoError(t, err)
	results, err := proto.Marshal(&rwset.TxReadWriteSet{NsRwset: []*rwset.NsReadWriteSet{{
		Namespace: evil, Rwset: values, CollectionHashedRwset: []*rwset.CollectionHashedReadWriteSet{{CollectionName: evil}},
	}}})
	require.NoError(t, err)
	message := endorsedWith(t, texts(t)[transaction], func(a *peer.ChaincodeEndorsedAction) {
		a.ProposalResponsePayload = change(t, &peer.ProposalResponsePayload{}, a.GetProposalResponsePayload(), func(p *peer.ProposalResponsePayload) {
			p.Extension = change(t, &peer.ChaincodeAction{}, p.GetExtension(), func(answer *peer.ChaincodeAction) { answer.Results = results })
		})
		a.Endorsements = []*peer.Endorsement{{Endorser: serialized(t, evil)}}
	})
	shown, err := read(transaction, message)
	require.NoError(t, err)
	for _, word := range []string{"deletes", "writes", "changes the endorsement policy of", "private data of", "names as endorsers"} {
		require.Contains(t, shown.lines, "\n  "+word+` "a\x1b[2K\r\n  writes nothing"`)
	}
	require.NotContains(t, shown.lines, "\x1b")
	require.NotContains(t, shown.lines, "\n  writes nothing")
}

func serialized(t *testing.T, mspID string) []byte {
	t.Helper()
	id, err := proto.Marshal(&msp.SerializedIdentity{Mspid: mspID})
	require.NoError(t, err)
	return id
}

// TestEndorsersAreNotVouchedFor: the online machine can name organisations that did not endorse.
func TestEndorsersAreNotVouchedFor(t *testing.T) {
	message := endorsedWith(t, texts(t)[transaction], func(a *peer.ChaincodeEndorsedAction) {
		for _, mspID := range []string{"Org1MSP", "Org9MSP"} {
			a.Endorsements = append(a.Endorsements, &peer.Endorsement{Endorser: serialized(t, mspID), Signature: []byte("none")})
		}
	})
	shown, err := read(transaction, message)
	require.NoError(t, err)
	require.Regexp(t, `\n  names as endorsers "Org1MSP", "Org9MSP": not checked here, peers check them\n`, shown.lines)
	require.NotContains(t, shown.lines, "endorsed by")
}
