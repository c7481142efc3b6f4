// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

func packed(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return data
}

// inspected returns what gmtls inspect prints of one file.
func inspected(t *testing.T, name string, data []byte) string {
	t.Helper()
	command := Command()
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetErr(&out)
	command.SetArgs([]string{gmtlstest.WriteFile(t, t.TempDir(), name, data)})
	command.SilenceUsage = true
	if err := command.Execute(); err != nil {
		fmt.Fprintln(&out, "error:", err)
	}
	return out.String()
}

// raftBlock is a config block of a Raft channel with these groups and policies.
func raftBlock(t *testing.T, orderers, members map[string]*common.ConfigGroup, policies map[string]*common.ConfigPolicy, values map[string]*common.ConfigValue) []byte {
	raft := packed(t, &orderer.ConsensusType{Type: "etcdraft", Metadata: packed(t, &etcdraft.ConfigMetadata{})})
	root := &common.ConfigGroup{ModPolicy: "Admins", Groups: map[string]*common.ConfigGroup{
		"Orderer":     {ModPolicy: "Admins", Groups: orderers, Values: map[string]*common.ConfigValue{"ConsensusType": {ModPolicy: "Admins", Value: raft}}},
		"Application": {ModPolicy: "Readers", Groups: members, Policies: policies, Values: values},
	}}
	payload := packed(t, &common.Payload{Header: &common.Header{ChannelHeader: packed(t, &common.ChannelHeader{Type: int32(common.HeaderType_CONFIG), ChannelId: "trade"})},
		Data: packed(t, &common.ConfigEnvelope{Config: &common.Config{ChannelGroup: root}})})
	data := packed(t, &common.Envelope{Payload: payload})
	sum := sha256.Sum256(data)
	return packed(t, &common.Block{Header: &common.BlockHeader{DataHash: sum[:]}, Data: &common.BlockData{Data: [][]byte{data}}})
}

func member(t *testing.T, config *msp.FabricMSPConfig) *common.ConfigGroup {
	return &common.ConfigGroup{ModPolicy: "Admins", Values: map[string]*common.ConfigValue{
		"MSP": {ModPolicy: "Admins", Value: packed(t, &msp.MSPConfig{Config: packed(t, config)})},
	}}
}

// TestAllThatAFirstBlockGrants: a CA that was added to a member's MSP, a member whom nobody knows, a policy and a right that let anybody in:
// the command that members look at a first block by shows each of them, in a Raft channel too.
func TestAllThatAFirstBlockGrants(t *testing.T) {
	own, attacker, evil, admin := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "port"), gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "added"),
		gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "evil"), gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "admin")
	port := member(t, &msp.FabricMSPConfig{Name: "PortMSP", RootCerts: [][]byte{own.CertPEM, attacker.CertPEM}, TlsRootCerts: [][]byte{own.CertPEM},
		FabricNodeOus: &msp.FabricNodeOUs{Enable: true, AdminOuIdentifier: &msp.FabricOUIdentifier{OrganizationalUnitIdentifier: "client"}}})
	admins := &common.SignaturePolicyEnvelope{
		Identities: []*msp.MSPPrincipal{
			{Principal: packed(t, &msp.MSPRole{MspIdentifier: "PortMSP", Role: msp.MSPRole_ADMIN})},
			{PrincipalClassification: msp.MSPPrincipal_ORGANIZATION_UNIT, Principal: packed(t, &msp.OrganizationUnit{MspIdentifier: "BankMSP", OrganizationalUnitIdentifier: "it\nops"})},
		},
		Rule: &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: 1, Rules: []*common.SignaturePolicy{
			{Type: &common.SignaturePolicy_SignedBy{SignedBy: 0}}, {Type: &common.SignaturePolicy_SignedBy{SignedBy: 1}}, {Type: &common.SignaturePolicy_SignedBy{SignedBy: 7}}}}}},
	}
	out := inspected(t, "trade.block", raftBlock(t, map[string]*common.ConfigGroup{"Port": port}, map[string]*common.ConfigGroup{
		"Port": port, "Evil": member(t, &msp.FabricMSPConfig{Name: "EvilMSP", RootCerts: [][]byte{evil.CertPEM}, Admins: [][]byte{admin.CertPEM}}),
	}, map[string]*common.ConfigPolicy{
		"Admins": {ModPolicy: "Admins", Policy: &common.Policy{Type: int32(common.Policy_IMPLICIT_META),
			Value: packed(t, &common.ImplicitMetaPolicy{Rule: common.ImplicitMetaPolicy_ANY, SubPolicy: "Readers"})}},
		"Endorsement": {ModPolicy: "Admins", Policy: &common.Policy{Type: int32(common.Policy_SIGNATURE), Value: packed(t, admins)}},
	}, map[string]*common.ConfigValue{
		"Capabilities": {ModPolicy: "Admins", Value: packed(t, &common.Capabilities{Capabilities: map[string]*common.Capability{"V2_5": {}}})},
		"ACLs":         {ModPolicy: "Writers", Value: packed(t, &peer.ACLs{Acls: map[string]*peer.APIResource{"_lifecycle/CommitChaincodeDefinition": {PolicyRef: "Readers"}}})},
	}))
	for _, line := range []string{
		`:Orderer:Port: organisation, MSP "PortMSP", NodeOUs admin="client"`,
		`:Orderer:Port:ca 1: root certificate`, `:Orderer:Port:ca 2: root certificate`, `:Orderer:Port:tls root 1: root certificate`,
		`:Application:Evil: organisation, MSP "EvilMSP", no NodeOUs`, `:Application:Evil:ca 1: root certificate`, `:Application:Evil:administrator 1: root certificate`,
		`:Application: policy, "Admins" is ANY "Readers"`, `:Application: group, changed by "Readers"`,
		`:Application: policy, "Endorsement" is OR("PortMSP.admin", the unit "it\nops" of "BankMSP", nobody)`,
		`:Application: right, "_lifecycle/CommitChaincodeDefinition" is "Readers"`, `:Application: value, "ACLs", changed by "Writers"`,
		`:Application: value, "Capabilities" is V2_5`,
	} {
		require.Contains(t, out, line)
	}
	for _, ca := range []gmtlstest.CA{*own, *attacker, *evil, *admin} {
		require.Contains(t, out, fmt.Sprintf("sha256  %x", sha256.Sum256(ca.Cert.Raw)))
	}
	require.NotContains(t, out, "PROBLEM")
	require.Regexp(t, `:Application:Port: organisation, MSP "PortMSP", the same as of \S+:Orderer:Port\n`, out)
}

// TestMSPsOfAChannelOutOfDate: an MSP takes a CA that has expired, so it is a problem only where an orderer needs it to join.
func TestMSPsOfAChannelOutOfDate(t *testing.T) {
	old, err := pki.NewCA("old", true, time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0))
	require.NoError(t, err)
	config := &msp.FabricMSPConfig{Name: "BankMSP", RootCerts: [][]byte{pki.CertPEM(old.Cert)}}
	groups := map[string]*common.ConfigGroup{"Bank": member(t, config)}
	out := inspected(t, "trade.block", raftBlock(t, groups, nil, nil, nil))
	require.Contains(t, out, "WARNING expired")
	require.NotContains(t, out, "PROBLEM")
	config.TlsRootCerts = config.RootCerts
	out = inspected(t, "trade.block", raftBlock(t, nil, map[string]*common.ConfigGroup{"Bank": member(t, config)}, nil, nil))
	require.NotContains(t, out, "PROBLEM")
	out = inspected(t, "trade.block", raftBlock(t, map[string]*common.ConfigGroup{"Bank": member(t, config)}, nil, nil, nil))
	require.Contains(t, out, "PROBLEM expired")
}

// TestPolicyTextIsBounded: a name of a block that many rules mention is not told a million times.
func TestPolicyTextIsBounded(t *testing.T) {
	many := &common.SignaturePolicy_NOutOf{N: 1}
	for range 10000 {
		many.Rules = append(many.Rules, &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{}})
	}
	deep := &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{}}
	for range 2 * maxDepth {
		deep = &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: 1, Rules: []*common.SignaturePolicy{deep}}}}
	}
	for _, rule := range []*common.SignaturePolicy{{Type: &common.SignaturePolicy_NOutOf_{NOutOf: many}}, deep} {
		signed := &common.SignaturePolicyEnvelope{Rule: rule, Identities: []*msp.MSPPrincipal{
			{Principal: packed(t, &msp.MSPRole{MspIdentifier: strings.Repeat("Port", 1000)})}}}
		r := &Report{}
		items := r.rules("block", &common.ConfigGroup{ModPolicy: "Admins", Policies: map[string]*common.ConfigPolicy{
			"Admins": {ModPolicy: "Admins", Policy: &common.Policy{Type: int32(common.Policy_SIGNATURE), Value: packed(t, signed)}}}})
		require.Equal(t, `"Admins" is not told`, items[0].Note)
		require.Len(t, r.Findings, 1)
		require.Equal(t, cause.Unparsable, r.Findings[0].Cause)
		require.False(t, r.Findings[0].Warning)
	}
}
