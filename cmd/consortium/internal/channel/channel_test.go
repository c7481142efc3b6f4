// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ob "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/configtx"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/internal/cryptogen/ca"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// org is an organisation with its CA's key, an administrator and an orderer's certificates.
type org struct {
	name, id, dir string
	ca            *ca.CA
}

func newOrg(t *testing.T, name string) *org {
	t.Helper()
	dir := t.TempDir()
	return &org{name: name, id: name + "MSP", dir: dir, ca: writeOrg(t, dir, name+".example", "o1", "o2")}
}

func (o *org) msp() string { return filepath.Join(o.dir, "msp") }

func (o *org) certificate(orderer string) string {
	return filepath.Join(o.dir, orderer, "tls", "server.crt")
}

// identity is an orderer's enrolment certificate.
func (o *org) identity(orderer string) string {
	return filepath.Join(o.dir, orderer, "msp", "signcerts", orderer+"."+o.name+".example-cert.pem")
}

// signer is the administrator as the peer command loads it.
func (o *org) signer(t *testing.T) msp.SigningIdentity {
	t.Helper()
	dir := filepath.Join(o.dir, "admin", "msp")
	opts := msp.SetupBCCSPKeystoreConfig(&factory.FactoryOpts{Default: "SW", SW: &factory.SwOpts{Security: 256, Hash: bccsp.SHA2}}, filepath.Join(dir, "keystore"))
	provider, err := factory.GetBCCSPFromOpts(opts)
	require.NoError(t, err)
	config, err := msp.GetLocalMspConfig(dir, opts, o.id)
	require.NoError(t, err)
	local, err := msp.New(&msp.BCCSPNewOpts{NewBaseOpts: msp.NewBaseOpts{Version: msp.MSPv1_4_3}}, provider)
	require.NoError(t, err)
	require.NoError(t, local.Setup(config))
	signer, err := local.GetDefaultSigningIdentity()
	require.NoError(t, err)
	return signer
}

// revocationList is a list of the CA with that number, which revokes nobody.
func (o *org) revocationList(t *testing.T, number int64, issuer *org) string {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(number), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
	}, o.ca.SignCert, issuer.ca.Signer)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "crl.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o600))
	return file
}

// sample is a channel of three organisations, the first of which orders too.
type sample struct {
	orgs  []*org
	block *cb.Block
}

func newSample(t *testing.T) *sample {
	t.Helper()
	s := &sample{orgs: []*org{newOrg(t, "Bank"), newOrg(t, "Port"), newOrg(t, "Customs")}}
	implicit := map[string]*genesisconfig.Policy{
		"Readers": {Type: "ImplicitMeta", Rule: "ANY Readers"}, "Writers": {Type: "ImplicitMeta", Rule: "ANY Writers"},
		"Admins": {Type: "ImplicitMeta", Rule: "MAJORITY Admins"}, "BlockValidation": {Type: "ImplicitMeta", Rule: "ANY Writers"},
		"Endorsement": {Type: "ImplicitMeta", Rule: "MAJORITY Endorsement"}, "LifecycleEndorsement": {Type: "ImplicitMeta", Rule: "MAJORITY Endorsement"},
	}
	profile := &genesisconfig.Profile{
		Policies: implicit, Capabilities: map[string]bool{"V2_0": true},
		Orderer: &genesisconfig.Orderer{
			OrdererType: "etcdraft", BatchTimeout: time.Second, Capabilities: map[string]bool{"V2_0": true}, Policies: implicit,
			BatchSize: genesisconfig.BatchSize{MaxMessageCount: 10, AbsoluteMaxBytes: 1 << 20, PreferredMaxBytes: 1 << 19},
			EtcdRaft: &etcdraft.ConfigMetadata{
				Consenters: []*etcdraft.Consenter{{
					Host: "o1.Bank.example", Port: 7050,
					ClientTlsCert: []byte(s.orgs[0].certificate("o1")), ServerTlsCert: []byte(s.orgs[0].certificate("o1")),
				}},
				Options: &etcdraft.Options{TickInterval: "500ms", ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 16 << 20},
			},
			Organizations: []*genesisconfig.Organization{{
				Name: "Bank", ID: "BankMSP", MSPDir: s.orgs[0].msp(), MSPType: mspType, Policies: Policies("BankMSP", true),
				OrdererEndpoints: []string{"o1.Bank.example:7050"},
			}},
		},
		Application: &genesisconfig.Application{Capabilities: map[string]bool{"V2_5": true}, Policies: implicit},
	}
	for _, o := range s.orgs {
		profile.Application.Organizations = append(profile.Application.Organizations, &genesisconfig.Organization{
			Name: o.name, ID: o.id, MSPDir: o.msp(), MSPType: mspType, Policies: Policies(o.id, false),
		})
	}
	s.block = encoder.New(profile).GenesisBlockForChannel("trade")
	return s
}

func (s *sample) read(t *testing.T) *Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.block")
	data, err := proto.Marshal(s.block)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o600))
	c, err := Read(file)
	require.NoError(t, err)
	require.Equal(t, "trade", c.Channel)
	return c
}

// propose gives the update, signed by the administrators of signers, to the code by which an orderer judges it.
func (s *sample) propose(t *testing.T, u *Update, signers ...*org) (*cb.ConfigEnvelope, error) {
	t.Helper()
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	bundle, err := channelconfig.NewBundleFromEnvelope(protoutil.UnmarshalEnvelopeOrPanic(s.block.Data.Data[0]), csp)
	require.NoError(t, err)
	envelope, err := configtx.UnmarshalConfigEnvelope(configOf(t, s.block))
	require.NoError(t, err)
	validator, err := configtx.NewValidatorImpl("trade", envelope.Config, channelconfig.RootGroupKey, bundle.PolicyManager())
	require.NoError(t, err)
	return validator.ProposeConfigUpdate(protoutil.UnmarshalEnvelopeOrPanic(signed(t, u.Envelope, signers...)))
}

func addressesOf(t *testing.T, root *cb.ConfigGroup) []string {
	t.Helper()
	all, err := clusterOf(root)
	require.NoError(t, err)
	return all.addresses()
}

func configOf(t *testing.T, block *cb.Block) []byte {
	t.Helper()
	payload, err := protoutil.UnmarshalPayload(protoutil.UnmarshalEnvelopeOrPanic(block.Data.Data[0]).Payload)
	require.NoError(t, err)
	return payload.Data
}

// TestUpdates: an orderer accepts every kind of update when those sign whom the tool names, and not when one of them is missing.
func TestUpdates(t *testing.T) {
	s := newSample(t)
	bank, port, customs := s.orgs[0], s.orgs[1], s.orgs[2]
	fourth := newOrg(t, "Insurer")
	application := Approval{"/Channel/Application/Admins", "MAJORITY Admins", []string{"Bank", "Customs", "Port"}, 2}
	ordering := Approval{"/Channel/Orderer/Admins", "MAJORITY Admins", []string{"Bank"}, 1}
	ofOrdering := Approval{Policy: "/Channel/Orderer/Bank/Admins", Rule: "signatures", Of: []string{"BankMSP.admin"}}
	own := func(o *org) Approval {
		return Approval{Policy: "/Channel/Application/" + o.name + "/Admins", Rule: "signatures", Of: []string{o.id + ".admin"}}
	}
	for name, tt := range map[string]struct {
		change  Change
		sign    []Approval
		signers []*org
		check   func(t *testing.T, root *cb.ConfigGroup)
	}{
		"add an organisation": {
			AddOrganization(Organization{Name: "Insurer", MSPID: "InsurerMSP", MSPDir: fourth.msp(), Anchors: []string{"peer0.insurer.example:7051"}}),
			[]Approval{application}, []*org{port, bank},
			func(t *testing.T, root *cb.ConfigGroup) {
				group := root.Groups["Application"].Groups["Insurer"]
				require.Contains(t, group.Values, "AnchorPeers")
				require.Len(t, group.Policies, 4)
			},
		},
		"remove an organisation": {
			RemoveOrganization("Customs", false), []Approval{application}, []*org{bank, port},
			func(t *testing.T, root *cb.ConfigGroup) {
				require.Equal(t, []string{"Bank", "Port"}, sortedKeys(root.Groups["Application"].Groups))
			},
		},
		"an ordering organisation": {
			AddOrganization(Organization{Name: "Port", MSPID: "PortMSP", MSPDir: port.msp(), Ordering: true, Endpoints: []string{"o1.port.example:7050"}}),
			[]Approval{ordering}, []*org{bank},
			func(t *testing.T, root *cb.ConfigGroup) {
				require.Contains(t, root.Groups["Orderer"].Groups["Port"].Values, "Endpoints")
			},
		},
		"anchors": {
			SetAnchors("Port", []string{"peer0.port.example:7051"}), []Approval{own(port)}, []*org{port},
			func(t *testing.T, root *cb.ConfigGroup) {
				require.Contains(t, root.Groups["Application"].Groups["Port"].Values, "AnchorPeers")
			},
		},
		"batch": {
			SetBatch(Batch{MaxMessages: 500, Timeout: 250 * time.Millisecond}), []Approval{ordering}, []*org{bank},
			func(t *testing.T, root *cb.ConfigGroup) {
				var size ob.BatchSize
				require.NoError(t, proto.Unmarshal(root.Groups["Orderer"].Values["BatchSize"].Value, &size))
				require.Equal(t, []uint32{500, 1 << 20, 1 << 19}, []uint32{size.MaxMessageCount, size.AbsoluteMaxBytes, size.PreferredMaxBytes})
			},
		},
		"policy": {
			SetPolicy("/Channel/Application/Endorsement", "OutOf(2, 'BankMSP.peer', 'PortMSP.peer', 'CustomsMSP.peer')"),
			[]Approval{application}, []*org{customs, port},
			func(t *testing.T, root *cb.ConfigGroup) {
				require.EqualValues(t, cb.Policy_SIGNATURE, root.Groups["Application"].Policies["Endorsement"].Policy.Type)
			},
		},
		"revocation list, in both places of the MSP": {
			SetRevocationLists("BankMSP", []string{bank.revocationList(t, 1, bank)}),
			[]Approval{own(bank), ofOrdering}, []*org{bank},
			func(t *testing.T, root *cb.ConfigGroup) {
				for _, p := range places(root) {
					require.Len(t, p.config.RevocationList, map[bool]int{true: 1, false: 0}[p.name == "Bank"], p.name)
				}
			},
		},
		"add an orderer": {
			AddOrderer(Consenter{Organization: "Bank", Address: "o2.Bank.example:7050", Certificate: bank.certificate("o2")}),
			[]Approval{ordering, ofOrdering}, []*org{bank},
			func(t *testing.T, root *cb.ConfigGroup) {
				require.Equal(t, []string{"o1.Bank.example:7050", "o2.Bank.example:7050"}, addressesOf(t, root))
				require.NoError(t, editEndpoints(root, "Bank", func(all []string) []string { require.Len(t, all, 2); return all }))
			},
		},
		"a capability": {
			SetCapability("/Channel", "GM_V1", true), []Approval{{"/Channel/Admins", "MAJORITY Admins", []string{"Application", "Orderer"}, 2}}, []*org{bank, port},
			func(t *testing.T, root *cb.ConfigGroup) {
				var all cb.Capabilities
				require.NoError(t, proto.Unmarshal(root.Values["Capabilities"].Value, &all))
				require.Len(t, all.Capabilities, 2)
			},
		},
		"another certificate of an orderer": {
			ReplaceOrderer(Consenter{Address: "o1.Bank.example:7050", Certificate: bank.certificate("o2")}), []Approval{ordering}, []*org{bank},
			func(t *testing.T, root *cb.ConfigGroup) {
				all, err := clusterOf(root)
				require.NoError(t, err)
				field, err := os.ReadFile(bank.certificate("o2"))
				require.NoError(t, err)
				require.Equal(t, string(field), string(all.(*raft).metadata.Consenters[0].ServerTlsCert))
				require.Equal(t, string(field), string(all.(*raft).metadata.Consenters[0].ClientTlsCert))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := s.read(t).Update(tt.change)
			require.NoError(t, err)
			require.Equal(t, tt.sign, u.Sign)
			require.NotEmpty(t, u.Did)
			_, err = json.Marshal(u)
			require.NoError(t, err)
			accepted, err := s.propose(t, u, tt.signers...)
			require.NoError(t, err)
			tt.check(t, accepted.Config.ChannelGroup)
			_, err = s.propose(t, u, tt.signers[1:]...)
			require.Error(t, err, "one signature too few")
		})
	}
}

// TestRefusals: what would do harm is refused before anybody signs it.
func TestRefusals(t *testing.T) {
	s := newSample(t)
	bank, port := s.orgs[0], s.orgs[1]
	withList := func(root *cb.ConfigGroup) ([]string, error) {
		return SetRevocationLists("PortMSP", []string{port.revocationList(t, 7, port)})(root)
	}
	for name, tt := range map[string]struct {
		changes []Change
		want    string
	}{
		"a name twice":               {[]Change{AddOrganization(Organization{Name: "Port", MSPID: "OtherMSP", MSPDir: port.msp()})}, "has an organisation Port already"},
		"an MSP id twice":            {[]Change{AddOrganization(Organization{Name: "Other", MSPID: "PortMSP", MSPDir: port.msp()})}, "is that of the organisation Port"},
		"a name that policies break": {[]Change{AddOrganization(Organization{Name: "Other", MSPID: "O'MSP", MSPDir: port.msp()})}, "cannot be the MSP id"},
		"no folder":                  {[]Change{AddOrganization(Organization{Name: "Other", MSPID: "OtherMSP", MSPDir: t.TempDir()})}, "valid ca certificate"},
		"an anchor without port":     {[]Change{SetAnchors("Port", []string{"peer0.port.example"})}, "HOST:PORT"},
		"unknown organisation":       {[]Change{SetAnchors("Ports", []string{"a:1"})}, "there are Bank, Customs, Port"},
		"the last ordering one":      {[]Change{RemoveOrganization("Bank", true)}, "last one"},
		"the last consenter":         {[]Change{RemoveOrderer("o1.Bank.example:7050")}, "last consenter"},
		"a consenter twice":          {[]Change{AddOrderer(Consenter{Address: "o1.Bank.example:7050", Certificate: bank.certificate("o1")})}, "already"},
		"a consenter that is none":   {[]Change{RemoveOrderer("o1.Bank.example:7051")}, "it has [o1.Bank.example:7050]"},
		"a consenter's identity in Raft": {[]Change{AddOrderer(Consenter{Organization: "Bank", Address: "o2.Bank.example:7050",
			Certificate: bank.certificate("o2"), Identity: bank.identity("o2")})}, "orders by Raft"},
		"no certificate of a consenter": {[]Change{ReplaceOrderer(Consenter{Address: "o1.Bank.example:7050"})}, "name the consenter's TLS certificate"},
		"a policy of nonsense":          {[]Change{SetPolicy("/Channel/Application/Endorsement", "SOME Endorsement")}, "/Channel/Application/Endorsement"},
		"a policy nowhere":              {[]Change{SetPolicy("/Channel/Aplication/Endorsement", "ANY Endorsement")}, "no group /Channel/Aplication"},
		"a capability that nodes lack":  {[]Change{SetCapability("/Channel", "GM_V0", true)}, "GM_V0"},
		"a capability that is not set":  {[]Change{SetCapability("/Channel", "GM_V1", false)}, ErrUnchanged.Error()},
		"a batch of nothing":            {[]Change{SetBatch(Batch{PreferredMaxBytes: 2 << 20})}, "nodes could not load"},
		"nothing to do":                 {[]Change{SetBatch(Batch{MaxMessages: 10})}, ErrUnchanged.Error()},
		"a list by another key":         {[]Change{SetRevocationLists("PortMSP", []string{port.revocationList(t, 1, bank)})}, "the signature does not verify"},
		"a list of another CA":          {[]Change{SetRevocationLists("PortMSP", []string{bank.revocationList(t, 1, bank)})}, "none of the CAs has the name"},
		"an older list":                 {[]Change{withList, SetRevocationLists("PortMSP", []string{port.revocationList(t, 6, port)})}, "later list"},
		"another MSP's lists":           {[]Change{SetRevocationLists("PortsMSP", []string{port.revocationList(t, 1, port)})}, "no organisation with the MSP id PortsMSP"},
		"a certificate as list":         {[]Change{SetRevocationLists("PortMSP", []string{bank.certificate("o1")})}, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.read(t).Update(tt.changes...)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestLaterList: a later list takes the place of the CA's earlier one.
func TestLaterList(t *testing.T) {
	s := newSample(t)
	port := s.orgs[1]
	c := s.read(t)
	for number := int64(1); number < 3; number++ {
		_, err := SetRevocationLists("PortMSP", []string{port.revocationList(t, number, port)})(c.config.ChannelGroup)
		require.NoError(t, err)
	}
	for _, p := range places(c.config.ChannelGroup) {
		require.Len(t, p.config.RevocationList, map[bool]int{true: 1, false: 0}[p.name == "Port"])
	}
}

// TestRemoveOrderer: its address goes with it.
func TestRemoveOrderer(t *testing.T) {
	s := newSample(t)
	root := s.read(t).config.ChannelGroup
	_, err := AddOrderer(Consenter{Organization: "Bank", Address: "o2.Bank.example:7050", Certificate: s.orgs[0].certificate("o2")})(root)
	require.NoError(t, err)
	_, err = RemoveOrderer("o1.Bank.example:7050")(root)
	require.NoError(t, err)
	require.NoError(t, editEndpoints(root, "Bank", func(all []string) []string {
		require.Equal(t, []string{"o2.Bank.example:7050"}, all)
		return all
	}))
}

// TestRead: what is not a config block is refused by its name.
func TestRead(t *testing.T) {
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("a block"), "a block without data": protoutil.MarshalOrPanic(&cb.Block{Header: &cb.BlockHeader{}})} {
		file := filepath.Join(t.TempDir(), "block")
		require.NoError(t, os.WriteFile(file, data, 0o600))
		_, err := Read(file)
		require.ErrorContains(t, err, file+": it is not a block", name)
	}
}
