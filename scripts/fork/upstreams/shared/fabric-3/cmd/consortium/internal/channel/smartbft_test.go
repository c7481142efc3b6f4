// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	mb "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/smartbft"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	consensus "github.com/hyperledger/fabric/orderer/consensus/smartbft"
	"github.com/hyperledger/fabric/protoutil"
)

// pair is the TLCP certificate by which the configuration names an orderer.
func (o *org) pair(orderer string) string {
	return filepath.Join(o.dir, orderer, "tls", "server-sign.crt")
}

// candidate is an orderer that could join.
func (o *org) candidate(orderer string) Consenter {
	return Consenter{
		Organization: o.name, Address: orderer + "." + o.name + ".example:7050",
		Certificate: o.pair(orderer), Identity: o.identity(orderer),
	}
}

// newPairedOrg is an organisation whose orderers have TLCP pairs.
func newPairedOrg(t *testing.T, name string) *org {
	t.Helper()
	o := newOrg(t, name)
	ca := gmtlstest.NewCA(t)
	gmtlstest.WriteFile(t, filepath.Join(o.msp(), "tlscacerts"), "gm.pem", ca.CertPEM)
	for _, orderer := range []string{"o1", "o2"} {
		pair := ca.NewPair(t, "localhost")
		require.NoError(t, os.WriteFile(o.pair(orderer), pair.SignCert, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(o.dir, orderer, "tls", "server-enc.crt"), pair.EncCert, 0o600))
	}
	return o
}

// newSmartBFTSample is a channel of three organisations with four consenters: two of the Bank, one of each other.
func newSmartBFTSample(t *testing.T) *sample {
	t.Helper()
	s := &sample{orgs: []*org{newPairedOrg(t, "Bank"), newPairedOrg(t, "Port"), newPairedOrg(t, "Customs")}}
	implicit := map[string]*genesisconfig.Policy{
		"Readers": {Type: "ImplicitMeta", Rule: "ANY Readers"}, "Writers": {Type: "ImplicitMeta", Rule: "ANY Writers"},
		"Admins": {Type: "ImplicitMeta", Rule: "MAJORITY Admins"}, "BlockValidation": {Type: "ImplicitMeta", Rule: "ANY Writers"},
	}
	orderer := &genesisconfig.Orderer{
		OrdererType: "BFT", BatchTimeout: time.Second, Capabilities: map[string]bool{"V2_0": true}, Policies: implicit,
		BatchSize: genesisconfig.BatchSize{MaxMessageCount: 10, AbsoluteMaxBytes: 1 << 20, PreferredMaxBytes: 1 << 19},
		SmartBFT: &smartbft.Options{
			RequestBatchMaxInterval: "500ms", RequestForwardTimeout: "2s", RequestComplainTimeout: "10s", RequestAutoRemoveTimeout: "3m",
			ViewChangeResendInterval: "2s", ViewChangeTimeout: "20s", LeaderHeartbeatTimeout: "10s", LeaderHeartbeatCount: 10,
			CollectTimeout: "1s", IncomingMessageBufferSize: 200, RequestPoolSize: 100000, SyncOnStart: true,
		},
	}
	for i, at := range []struct {
		org  *org
		name string
	}{{s.orgs[0], "o1"}, {s.orgs[0], "o2"}, {s.orgs[1], "o1"}, {s.orgs[2], "o1"}} {
		orderer.ConsenterMapping = append(orderer.ConsenterMapping, &genesisconfig.Consenter{
			ID: uint32(i + 1), Host: at.name + "." + at.org.name + ".example", Port: 7050, MSPID: at.org.id,
			Identity: at.org.identity(at.name), ClientTLSCert: at.org.pair(at.name), ServerTLSCert: at.org.pair(at.name),
		})
	}
	for i, o := range s.orgs {
		endpoints := []string{"o1." + o.name + ".example:7050"}
		if i == 0 {
			endpoints = append(endpoints, "o2.Bank.example:7050")
		}
		orderer.Organizations = append(orderer.Organizations, &genesisconfig.Organization{
			Name: o.name, ID: o.id, MSPDir: o.msp(), MSPType: mspType, Policies: Policies(o.id, true), OrdererEndpoints: endpoints,
		})
	}
	s.block = encoder.New(&genesisconfig.Profile{
		Policies: implicit, Capabilities: map[string]bool{"V3_0": true}, Orderer: orderer,
	}).GenesisBlockForChannel("trade")
	return s
}

// judged stands for the parts of an orderer that have judged the update already.
type judged struct{ config *cb.ConfigEnvelope }

func (judged) ApplyFilters(string, *cb.Envelope) error { return nil }

func (j judged) ProposeConfigUpdate(string, *cb.Envelope) (*cb.ConfigEnvelope, error) {
	return j.config, nil
}

// consentersJudge is what an orderer of SmartBFT says of a configuration before it proposes it: whether consenters and policy agree.
func consentersJudge(t *testing.T, config *cb.ConfigEnvelope) error {
	t.Helper()
	v := &consensus.ConfigBlockValidator{
		ValidatingChannel: "trade", Filters: judged{}, ConfigUpdateProposer: judged{config}, Logger: flogging.MustGetLogger("test"),
	}
	return v.ValidateConfig(&cb.Envelope{Payload: protoutil.MarshalOrPanic(&cb.Payload{
		Header: &cb.Header{ChannelHeader: protoutil.MarshalOrPanic(&cb.ChannelHeader{Type: int32(cb.HeaderType_CONFIG), ChannelId: "trade"})},
		Data:   protoutil.MarshalOrPanic(config),
	})})
}

// consentersOf reads the consenters of a configuration, and checks that its policy wants the quorum of these.
func consentersOf(t *testing.T, root *cb.ConfigGroup, quorum int32) []*cb.Consenter {
	t.Helper()
	orderers := &cb.Orderers{}
	group := root.Groups["Orderer"]
	require.NoError(t, proto.Unmarshal(group.Values["Orderers"].Value, orderers))
	policy := &cb.SignaturePolicyEnvelope{}
	require.EqualValues(t, cb.Policy_SIGNATURE, group.Policies["BlockValidation"].Policy.Type)
	require.NoError(t, proto.Unmarshal(group.Policies["BlockValidation"].Policy.Value, policy))
	require.Equal(t, quorum, policy.Rule.GetNOutOf().N)
	require.Len(t, policy.Identities, len(orderers.ConsenterMapping))
	for i, c := range orderers.ConsenterMapping {
		id := &mb.SerializedIdentity{}
		require.NoError(t, proto.Unmarshal(policy.Identities[i].Principal, id))
		require.Equal(t, c.MspId, id.Mspid)
		require.Equal(t, string(c.Identity), string(id.IdBytes))
	}
	return orderers.ConsenterMapping
}

func content(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

// TestSmartBFT: an orderer accepts each change of the consenters when those sign whom the tool names, and its consensus finds that consenters
// and policy agree.
func TestSmartBFT(t *testing.T) {
	s := newSmartBFTSample(t)
	bank, port, customs := s.orgs[0], s.orgs[1], s.orgs[2]
	admins := Approval{"/Channel/Orderer/Admins", "MAJORITY Admins", []string{"Bank", "Customs", "Port"}, 2}
	own := func(o *org) Approval {
		return Approval{Policy: "/Channel/Orderer/" + o.name + "/Admins", Rule: "signatures", Of: []string{o.id + ".admin"}}
	}
	for name, tt := range map[string]struct {
		change Change
		did    []string
		sign   []Approval
		check  func(t *testing.T, root *cb.ConfigGroup)
	}{
		"a fifth consenter": {
			AddOrderer(port.candidate("o2")),
			[]string{"consenter o2.Port.example:7050 joins", "blocks have the signatures of 4 of 5 consenters; 1 may be faulty", "o2.Port.example:7050 is an endpoint of Port"},
			[]Approval{admins, own(port)},
			func(t *testing.T, root *cb.ConfigGroup) {
				all := consentersOf(t, root, 4)
				require.Len(t, all, 5)
				require.True(t, proto.Equal(all[4], &cb.Consenter{
					Id: 5, Host: "o2.Port.example", Port: 7050, MspId: "PortMSP", Identity: []byte(content(t, port.identity("o2"))),
					ClientTlsCert: []byte(content(t, port.pair("o2"))), ServerTlsCert: []byte(content(t, port.pair("o2"))),
				}), "%v", all[4])
			},
		},
		"a chosen number": {
			func(root *cb.ConfigGroup) ([]string, error) {
				c := port.candidate("o2")
				c.ID = 9
				return AddOrderer(c)(root)
			},
			nil, []Approval{admins, own(port)},
			func(t *testing.T, root *cb.ConfigGroup) { require.EqualValues(t, 9, consentersOf(t, root, 4)[4].Id) },
		},
		"one of two of an organisation leaves": {
			RemoveOrderer("o1.Bank.example:7050"),
			[]string{"consenter o1.Bank.example:7050 leaves", "blocks have the signatures of 2 of 3 consenters; 0 may be faulty"},
			[]Approval{admins, own(bank)},
			func(t *testing.T, root *cb.ConfigGroup) {
				all := consentersOf(t, root, 2)
				require.Equal(t, []uint32{2, 3, 4}, []uint32{all[0].Id, all[1].Id, all[2].Id})
				require.NoError(t, editEndpoints(root, "Bank", func(all []string) []string {
					require.Equal(t, []string{"o2.Bank.example:7050"}, all)
					return all
				}))
			},
		},
		"the only one of an organisation leaves": {
			RemoveOrderer("o1.Customs.example:7050"), nil, []Approval{admins},
			func(t *testing.T, root *cb.ConfigGroup) {
				require.Len(t, consentersOf(t, root, 2), 3)
				require.Equal(t, []string{"Bank", "Port"}, sortedKeys(root.Groups["Orderer"].Groups), "without endpoint it cannot stay")
			},
		},
		"another identity": {
			ReplaceOrderer(Consenter{Address: "o1.Port.example:7050", Identity: port.identity("o2")}), nil, []Approval{admins},
			func(t *testing.T, root *cb.ConfigGroup) {
				c := consentersOf(t, root, 3)[2]
				require.Equal(t, content(t, port.identity("o2")), string(c.Identity))
				require.Equal(t, content(t, port.pair("o1")), string(c.ServerTlsCert))
			},
		},
		"another TLS certificate": {
			ReplaceOrderer(Consenter{Address: "o1.Port.example:7050", Certificate: port.pair("o2")}), nil, []Approval{admins},
			func(t *testing.T, root *cb.ConfigGroup) {
				c := consentersOf(t, root, 3)[2]
				require.Equal(t, content(t, port.identity("o1")), string(c.Identity))
				require.Equal(t, content(t, port.pair("o2")), string(c.ServerTlsCert))
				require.Equal(t, content(t, port.pair("o2")), string(c.ClientTlsCert))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := s.read(t).Update(tt.change)
			require.NoError(t, err)
			require.Equal(t, tt.sign, u.Sign)
			if tt.did != nil {
				require.Equal(t, tt.did, u.Did)
			}
			accepted, err := s.propose(t, u, bank, port)
			require.NoError(t, err)
			require.NoError(t, consentersJudge(t, accepted))
			tt.check(t, accepted.Config.ChannelGroup)
			_, err = s.propose(t, u, customs)
			require.Error(t, err, "signatures are missing")
		})
	}
}

// TestSmartBFTRefusals: a consenter that could not take part is refused before anybody signs.
func TestSmartBFTRefusals(t *testing.T) {
	s := newSmartBFTSample(t)
	port, customs := s.orgs[1], s.orgs[2]
	changed := func(edit func(*Consenter)) Change {
		c := port.candidate("o2")
		edit(&c)
		return AddOrderer(c)
	}
	two := filepath.Join(t.TempDir(), "two.pem")
	require.NoError(t, os.WriteFile(two, slices.Concat([]byte(content(t, port.identity("o2"))), []byte(content(t, port.identity("o1")))), 0o600))
	foreign := gmtlstest.WriteFile(t, t.TempDir(), "foreign.crt", gmtlstest.NewCA(t).NewPair(t, "localhost").SignCert)
	for name, tt := range map[string]struct {
		change Change
		want   string
	}{
		"a TLS certificate of another CA":     {changed(func(c *Consenter) { c.Certificate = foreign }), "signed by unknown authority"},
		"another consenter's TLS certificate": {changed(func(c *Consenter) { c.Certificate = customs.pair("o1") }), "have the same key"},
		"no identity":                         {changed(func(c *Consenter) { c.Identity = "" }), "name both"},
		"no TLS certificate":                  {changed(func(c *Consenter) { c.Certificate = "" }), "name both"},
		"an identity of another MSP":          {changed(func(c *Consenter) { c.Identity = customs.identity("o2") }), "the identity is none of PortMSP"},
		"a TLS certificate as identity":       {changed(func(c *Consenter) { c.Identity = port.pair("o2") }), "the identity is none of PortMSP"},
		"another consenter's identity":        {changed(func(c *Consenter) { c.Identity = port.identity("o1") }), "that of the consenter o1.Port.example:7050"},
		"an identity and a further one":       {changed(func(c *Consenter) { c.Identity = two }), "it holds 2 certificates"},
		"the encryption certificate":          {changed(func(c *Consenter) { c.Certificate = filepath.Join(port.dir, "o2", "tls", "server-enc.crt") }), "encryption certificate"},
		"a number that is taken":              {changed(func(c *Consenter) { c.ID = 3 }), "o1.Port.example:7050 has the id 3 already"},
		"an organisation that does not order": {changed(func(c *Consenter) { c.Organization = "Insurer" }), "no organisation Insurer"},
		"an address twice":                    {changed(func(c *Consenter) { c.Address = "o1.Port.example:7050" }), "already"},
		"nothing new":                         {ReplaceOrderer(Consenter{Address: "o1.Port.example:7050"}), "name the consenter's"},
		"a foreign identity for an old one":   {ReplaceOrderer(Consenter{Address: "o1.Port.example:7050", Identity: customs.identity("o2")}), "the identity is none of PortMSP"},
		"a new view of too many bytes":        {SetBatch(Batch{AbsoluteMaxBytes: 64 << 20}), "with 4 consenters, AbsoluteMaxBytes of BatchSize may be at most"},
		"options that end consenters":         {SetBatch(Batch{AbsoluteMaxBytes: 5000, PreferredMaxBytes: 4000}), "RequestMaxBytes is bigger than RequestBatchMaxBytes"},
		"a consenter that is none":            {RemoveOrderer("o2.Port.example:7050"), "no consenter o2.Port.example:7050"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.read(t).Update(tt.change)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestShowSmartBFT: an update that somebody else made gives a consenter no identity that could not sign blocks.
func TestShowSmartBFT(t *testing.T) {
	s := newSmartBFTSample(t)
	port, customs := s.orgs[1], s.orgs[2]
	for want, identity := range map[string]string{
		"the identity is none of PortMSP": customs.identity("o2"), "": port.identity("o2"),
	} {
		c := s.read(t)
		u, err := c.show(rawUpdate(t, c, func(root *cb.ConfigGroup) {
			all, err := clusterOf(root)
			require.NoError(t, err)
			all.(*smartBFT).all[2].Identity = []byte(content(t, identity))
			_, err = all.save()
			require.NoError(t, err)
		}))
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
		require.Contains(t, u.Did[0], `/Channel/Orderer Orderers.consenter_mapping: + {client_tls_cert certificate of`)
	}
}
