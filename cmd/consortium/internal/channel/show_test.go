// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/internal/configtxlator/update"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// rawUpdate is what anybody can make without this package.
func rawUpdate(t *testing.T, c *Config, edit func(root *cb.ConfigGroup)) []byte {
	t.Helper()
	after := proto.Clone(c.config).(*cb.Config)
	edit(after.ChannelGroup)
	difference, err := update.Compute(c.config, after)
	require.NoError(t, err)
	difference.ChannelId = c.Channel
	data, err := envelope(difference)
	require.NoError(t, err)
	return data
}

// signed is the envelope with the signature of each organisation's administrator.
func signed(t *testing.T, data []byte, signers ...*org) []byte {
	t.Helper()
	payload, err := protoutil.UnmarshalPayload(protoutil.UnmarshalEnvelopeOrPanic(data).Payload)
	require.NoError(t, err)
	inner := &cb.ConfigUpdateEnvelope{}
	require.NoError(t, proto.Unmarshal(payload.Data, inner))
	for _, o := range signers {
		signer := o.signer(t)
		creator, err := signer.Serialize()
		require.NoError(t, err)
		header := protoutil.MarshalOrPanic(&cb.SignatureHeader{Creator: creator, Nonce: []byte("nonce")})
		signature, err := signer.Sign(append(append([]byte(nil), header...), inner.ConfigUpdate...))
		require.NoError(t, err)
		inner.Signatures = append(inner.Signatures, &cb.ConfigSignature{SignatureHeader: header, Signature: signature})
	}
	payload.Data = protoutil.MarshalOrPanic(inner)
	return protoutil.MarshalOrPanic(&cb.Envelope{Payload: protoutil.MarshalOrPanic(payload)})
}

// TestShow: whatever an update changes is told to who is to sign it, and what the maker was told of signatures.
func TestShow(t *testing.T) {
	s := newSample(t)
	bank := s.orgs[0]
	attacker := newAuthority(t, gmtlstest.SM2, "attacker")
	hash := fmt.Sprintf("%x", sha256.Sum256(attacker.Cert.Raw))
	const application = "/Channel/Application"
	for name, tt := range map[string]struct {
		edit func(root *cb.ConfigGroup)
		want []string
	}{
		"a CA in another's MSP": {func(root *cb.ConfigGroup) {
			for _, p := range places(root) {
				if p.name == "Port" {
					p.config.RootCerts = append(p.config.RootCerts, attacker.CertPEM)
					data, err := proto.Marshal(p.config)
					require.NoError(t, err)
					setValue(p.group, channelconfig.MSPValue(&mb.MSPConfig{Type: int32(msp.FABRIC), Config: data}))
				}
			}
		}, []string{application + `/Port MSP.config.root_certs: + certificate of "CN=attacker" by "CN=attacker"`, hash}},
		"a policy": {func(root *cb.ConfigGroup) {
			_, err := SetPolicy(application+"/Admins", "ANY Readers")(root)
			require.NoError(t, err)
		}, []string{application + " policy Admins: ANY \"Readers\", before MAJORITY \"Admins\""}},
		"a policy of signatures": {func(root *cb.ConfigGroup) {
			_, err := SetPolicy(application+"/Port/Admins", "OR('PortMSP.admin', 'BankMSP.member')")(root)
			require.NoError(t, err)
		}, []string{application + "/Port policy Admins: OR(\"PortMSP.admin\", \"BankMSP.member\"), before OR(\"PortMSP.admin\")"}},
		"whom changes need": {func(root *cb.ConfigGroup) {
			root.Groups["Application"].Groups["Port"].Values["MSP"].ModPolicy = "/Channel/Application/Readers"
		}, []string{application + `/Port MSP, whom changes need: /Channel/Application/Readers, before Admins`}},
		"an access list": {func(root *cb.ConfigGroup) {
			setValue(root.Groups["Application"], channelconfig.ACLValues(map[string]string{"qscc/GetBlockByNumber": "/Channel/Application/Any"}))
		}, []string{application + ` ACLs.acls.qscc/GetBlockByNumber.policy_ref: + "/Channel/Application/Any"`, application + " ACLs, whom changes need: + Admins"}},
		"an organisation": {func(root *cb.ConfigGroup) {
			_, err := AddOrganization(Organization{Name: "Evil", MSPID: "EvilMSP", MSPDir: mspFolder(t, []authority{attacker})})(root)
			require.NoError(t, err)
		}, []string{application + "/Evil is new", application + "/Evil MSP.config.name: + \"EvilMSP\"", application + "/Evil policy Admins: + OR(\"EvilMSP.admin\")", hash}},
		"none any more": {func(root *cb.ConfigGroup) {
			delete(root.Groups["Application"].Groups, "Customs")
		}, []string{application + "/Customs goes"}},
		"an address": {func(root *cb.ConfigGroup) {
			require.NoError(t, editEndpoints(root, "Bank", func([]string) []string { return []string{"evil.example:7050"} }))
		}, []string{`/Channel/Orderer/Bank Endpoints.addresses: + "evil.example:7050"`, `/Channel/Orderer/Bank Endpoints.addresses: - "o1.Bank.example:7050"`}},
		"batches": {func(root *cb.ConfigGroup) {
			_, err := SetBatch(Batch{MaxMessages: 7})(root)
			require.NoError(t, err)
		}, []string{"/Channel/Orderer BatchSize.max_message_count: 7, before 10"}},
		"a consenter": {func(root *cb.ConfigGroup) {
			_, err := AddOrderer(Consenter{Organization: "Bank", Address: "o2.Bank.example:7050", Certificate: bank.certificate("o2")})(root)
			require.NoError(t, err)
		}, []string{`/Channel/Orderer ConsensusType.metadata.consenters: + {client_tls_cert certificate of "CN=o2.Bank.example`, `host "o2.Bank.example", port 7050`}},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.read(t)
			u, err := c.show(rawUpdate(t, c, tt.edit))
			require.NoError(t, err)
			require.NotEmpty(t, u.Sign)
			require.Len(t, u.Missing, len(u.Sign))
			require.Empty(t, u.Signatures)
			for _, want := range tt.want {
				require.Contains(t, strings.Join(u.Did, "\n"), want)
			}
		})
	}
}

// TestShowSignatures: signatures are verified, and the policies that want more of them are named.
func TestShowSignatures(t *testing.T) {
	s := newSample(t)
	bank, port, customs := s.orgs[0], s.orgs[1], s.orgs[2]
	c := s.read(t)
	made, err := c.Update(SetPolicy("/Channel/Application/Endorsement", "ANY Endorsement"))
	require.NoError(t, err)
	other, err := c.Update(SetPolicy("/Channel/Application/Endorsement", "ALL Endorsement"))
	require.NoError(t, err)
	forged := changeUpdate(t, made.Envelope, func(_ *cb.ChannelHeader, u *cb.ConfigUpdateEnvelope) {
		changeUpdate(t, signed(t, other.Envelope, port), func(_ *cb.ChannelHeader, from *cb.ConfigUpdateEnvelope) { u.Signatures = from.Signatures })
	})
	outsider := newOrg(t, "Insurer")
	for name, tt := range map[string]struct {
		envelope   []byte
		signatures []string
		missing    []string
	}{
		"none":         {made.Envelope, nil, []string{"/Channel/Application/Admins"}},
		"one":          {signed(t, made.Envelope, port), []string{"PortMSP CN=Admin@Port.example"}, []string{"/Channel/Application/Admins"}},
		"enough":       {signed(t, made.Envelope, port, customs), []string{"PortMSP CN=Admin@Port.example", "CustomsMSP CN=Admin@Customs"}, nil},
		"of another":   {signed(t, forged, bank), []string{": does not count: ", "BankMSP CN="}, []string{"/Channel/Application/Admins"}},
		"an outsider":  {signed(t, made.Envelope, outsider), []string{": does not count: "}, []string{"/Channel/Application/Admins"}},
		"one, twofold": {signed(t, made.Envelope, port, port), []string{"PortMSP", "PortMSP"}, []string{"/Channel/Application/Admins"}},
	} {
		u, err := c.show(tt.envelope)
		require.NoError(t, err, name)
		require.Equal(t, made.Sign, u.Sign, name)
		require.Len(t, u.Signatures, len(tt.signatures), name)
		for i, want := range tt.signatures {
			require.Contains(t, u.Signatures[i], want, name)
			require.Equal(t, strings.Contains(want, "count"), strings.Contains(u.Signatures[i], "count"), name)
		}
		require.Equal(t, tt.missing, u.Missing, name)
	}
}

// TestCounts: how many signatures a policy over organisations wants.
func TestCounts(t *testing.T) {
	for _, tt := range []struct{ organizations, any, majority, all int }{{1, 1, 1, 1}, {2, 1, 2, 2}, {3, 1, 2, 3}, {4, 1, 3, 4}, {5, 1, 3, 5}} {
		root := &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{}, Policies: map[string]*cb.ConfigPolicy{}}
		for i := range tt.organizations {
			root.Groups[fmt.Sprint(i)] = &cb.ConfigGroup{}
		}
		for rule, want := range map[string]int{"ANY": tt.any, "MAJORITY": tt.majority, "ALL": tt.all} {
			root.Policies["Admins"] = &cb.ConfigPolicy{Policy: &cb.Policy{Type: int32(cb.Policy_IMPLICIT_META), Value: protoutil.MarshalOrPanic(&cb.ImplicitMetaPolicy{
				Rule: cb.ImplicitMetaPolicy_Rule(cb.ImplicitMetaPolicy_Rule_value[rule]), SubPolicy: "Admins",
			})}}
			a, err := describe(root, "/Channel/Admins")
			require.NoError(t, err)
			require.Equal(t, rule+" Admins", a.Rule)
			require.Len(t, a.Of, tt.organizations)
			require.Equal(t, want, a.Need, "%s of %d", rule, tt.organizations)
		}
	}
}

// TestShowMissing: of several policies, those are named that want more signatures, and no others.
func TestShowMissing(t *testing.T) {
	s := newSample(t)
	bank, port, customs := s.orgs[0], s.orgs[1], s.orgs[2]
	c := s.read(t)
	const all, one = "/Channel/Application/Admins", "/Channel/Application/Port/Admins"
	data := rawUpdate(t, c, func(root *cb.ConfigGroup) {
		for policy, rule := range map[string]string{"/Channel/Application/Endorsement": "ANY Endorsement", one: "OR('PortMSP.admin', 'PortMSP.peer')"} {
			_, err := SetPolicy(policy, rule)(root)
			require.NoError(t, err)
		}
	})
	for name, tt := range map[string]struct {
		signers []*org
		missing []string
	}{
		"nobody":              {nil, []string{all, one}},
		"who changes itself":  {[]*org{port}, []string{all}},
		"the majority":        {[]*org{bank, customs}, []string{one}},
		"a part of it":        {[]*org{bank}, []string{all, one}},
		"a majority with it":  {[]*org{port, bank}, nil},
		"all":                 {[]*org{bank, port, customs}, nil},
		"a stranger and it":   {[]*org{newOrg(t, "Insurer"), port}, []string{all}},
		"the same one thrice": {[]*org{bank, bank, bank}, []string{all, one}},
	} {
		u, err := c.show(signed(t, data, tt.signers...))
		require.NoError(t, err, name)
		require.Equal(t, []Approval{
			{Policy: all, Rule: "MAJORITY Admins", Of: []string{"Bank", "Customs", "Port"}, Need: 2},
			{Policy: one, Rule: "signatures", Of: []string{"PortMSP.admin"}},
		}, u.Sign, name)
		require.Equal(t, tt.missing, u.Missing, name)
	}
}

// changeUpdate changes the parts of an envelope.
func changeUpdate(t *testing.T, data []byte, edit func(*cb.ChannelHeader, *cb.ConfigUpdateEnvelope)) []byte {
	t.Helper()
	payload, err := protoutil.UnmarshalPayload(protoutil.UnmarshalEnvelopeOrPanic(data).Payload)
	require.NoError(t, err)
	header, inner := &cb.ChannelHeader{}, &cb.ConfigUpdateEnvelope{}
	require.NoError(t, proto.Unmarshal(payload.Header.ChannelHeader, header))
	require.NoError(t, proto.Unmarshal(payload.Data, inner))
	edit(header, inner)
	payload.Header.ChannelHeader, payload.Data = protoutil.MarshalOrPanic(header), protoutil.MarshalOrPanic(inner)
	return protoutil.MarshalOrPanic(&cb.Envelope{Payload: protoutil.MarshalOrPanic(payload)})
}

// TestShowRefusals: nothing is shown of what is no update of the channel, and one that nodes would refuse is shown with the reason.
func TestShowRefusals(t *testing.T) {
	s := newSample(t)
	c := s.read(t)
	made, err := c.Update(SetBatch(Batch{MaxMessages: 7}))
	require.NoError(t, err)
	elsewhere := s.read(t)
	elsewhere.Channel = "elsewhere"
	later := s.read(t)
	later.config.ChannelGroup.Groups["Orderer"].Values["BatchSize"].Version = 1
	for name, tt := range map[string]struct {
		c    *Config
		data []byte
		want string
	}{
		"a block":             {c, protoutil.MarshalOrPanic(s.block), "it is not an update"},
		"text":                {c, []byte("text"), "it is not an update"},
		"nothing":             {c, nil, "it is not an update"},
		"another transaction": {c, changeUpdate(t, made.Envelope, func(h *cb.ChannelHeader, _ *cb.ConfigUpdateEnvelope) { h.Type = int32(cb.HeaderType_MESSAGE) }), "it is not an update"},
		"another channel":     {elsewhere, made.Envelope, "it is no update of channel elsewhere"},
		"a later block":       {later, made.Envelope, "fetch the latest one"},
	} {
		u, err := tt.c.show(tt.data)
		require.ErrorContains(t, err, tt.want, name)
		require.Nil(t, u, name)
	}
	for name, tt := range map[string]struct {
		edit func(root *cb.ConfigGroup)
		did  string
		want string
	}{
		"a capability that nodes lack": {func(root *cb.ConfigGroup) {
			_, err := SetCapability("/Channel", "GM_V0", true)(root)
			require.NoError(t, err)
		}, "/Channel Capabilities.capabilities.GM_V0: + {}", "nodes would refuse"},
		"a value that nodes do not know": {func(root *cb.ConfigGroup) {
			root.Values["Unknown"] = &cb.ConfigValue{ModPolicy: "Admins", Value: []byte("text")}
		}, "/Channel Unknown: + 4 bytes that cannot be read, sha256 ", "nodes could not load"},
		"a consenter of another CA": {func(root *cb.ConfigGroup) {
			_, err := ReplaceOrderer(Consenter{Address: "o1.Bank.example:7050", Certificate: s.orgs[1].certificate("o1")})(root)
			require.NoError(t, err)
		}, "consenters: + {client_tls_cert certificate", "orderers would refuse"},
	} {
		data := rawUpdate(t, c, tt.edit)
		file := gmtlstest.WriteFile(t, t.TempDir(), "update.pb", data)
		u, err := c.Show(file)
		require.ErrorContains(t, err, tt.want, name)
		require.ErrorContains(t, err, file, name)
		require.Contains(t, strings.Join(u.Did, "\n"), tt.did, name)
	}
}
