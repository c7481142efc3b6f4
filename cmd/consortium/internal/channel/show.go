// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/configtx"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// Show says what an update from a file changes, whoever made it, by the code with which an orderer computes the new configuration, and which
// signatures it has. An update comes together with an error if nodes would refuse what it makes.
func (c *Config) Show(file string) (*Update, error) {
	data, err := material.ReadBounded(file, maxBlock)
	if err != nil {
		return nil, err
	}
	u, err := c.show(data)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return u, err
}

func (c *Config) show(data []byte) (*Update, error) {
	envelope, signed, err := parseUpdate(data)
	if err != nil {
		return nil, err
	}
	validator, err := configtx.NewValidatorImpl(c.Channel, c.config, channelconfig.RootGroupKey, everybody{})
	if err != nil {
		return nil, err
	}
	proposed, err := validator.ProposeConfigUpdate(envelope)
	if err != nil {
		return nil, fmt.Errorf("it is no update of channel %s on its config block %d: %w; fetch the latest one, and have the update made from it", c.Channel, c.Block, err)
	}
	inner := &cb.ConfigUpdate{}
	if err := proto.Unmarshal(signed.ConfigUpdate, inner); err != nil {
		return nil, err
	}
	u := &Update{Channel: c.Channel, Block: c.Block}
	if u.Sign, err = approvals(c.config.ChannelGroup, inner.WriteSet); err != nil {
		return nil, err
	}
	if u.Did, err = differences(c.config.ChannelGroup, proposed.Config.ChannelGroup); err != nil {
		return nil, err
	}
	if err := c.signatures(u, signed); err != nil {
		return nil, err
	}
	return u, c.judge(proposed.Config)
}

// parseUpdate takes apart what peer channel signconfigtx signs and peer channel update sends.
func parseUpdate(data []byte) (*cb.Envelope, *cb.ConfigUpdateEnvelope, error) {
	var (
		envelope cb.Envelope
		payload  cb.Payload
		header   cb.ChannelHeader
		update   cb.ConfigUpdateEnvelope
	)
	if proto.Unmarshal(data, &envelope) != nil || proto.Unmarshal(envelope.Payload, &payload) != nil ||
		proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header) != nil || header.Type != int32(cb.HeaderType_CONFIG_UPDATE) {
		return nil, nil, errors.New("it is not an update of a channel's configuration, as consortium update makes it and peer channel signconfigtx signs it")
	}
	if err := proto.Unmarshal(payload.Data, &update); err != nil {
		return nil, nil, errors.New("its update cannot be decoded")
	}
	return &envelope, &update, nil
}

// signatures adds who signed the update, and which policies want more signatures.
func (c *Config) signatures(u *Update, update *cb.ConfigUpdateEnvelope) error {
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	if err != nil {
		return err
	}
	bundle, err := channelconfig.NewBundle(c.Channel, c.config, csp)
	if err != nil {
		return fmt.Errorf("the configuration in the block cannot be loaded: %w", err)
	}
	all, err := protoutil.ConfigUpdateEnvelopeAsSignedData(update)
	if err != nil {
		return fmt.Errorf("its signatures cannot be decoded: %w", err)
	}
	for _, s := range all {
		u.Signatures = append(u.Signatures, describeSignature(bundle.MSPManager(), s))
	}
	for _, a := range u.Sign {
		policy, ok := bundle.PolicyManager().GetPolicy(a.Policy)
		if !ok || policy.EvaluateSignedData(all) != nil {
			u.Missing = append(u.Missing, a.Policy)
		}
	}
	return nil
}

// describeSignature names the signer, and says what is wrong with the signature.
func describeSignature(manager msp.IdentityDeserializer, s *protoutil.SignedData) string {
	var creator mb.SerializedIdentity
	if err := proto.Unmarshal(s.Identity, &creator); err != nil {
		return "a signer that cannot be decoded"
	}
	name := creator.Mspid
	if certs, err := material.ParseCertificates("signer", creator.IdBytes); err == nil {
		name += " " + certs[0].Subject.String()
	}
	identity, err := manager.DeserializeIdentity(s.Identity)
	if err == nil {
		err = identity.Validate()
	}
	if err == nil {
		err = identity.Verify(s.Data, s.Signature)
	}
	if err != nil {
		return fmt.Sprintf("%s: does not count: %v", name, err)
	}
	return name
}

// everybody is a policy that all satisfy: what an update changes does not depend on who has signed it so far.
type everybody struct{}

var (
	_ policies.Manager = everybody{}
	_ policies.Policy  = everybody{}
)

func (everybody) GetPolicy(string) (policies.Policy, bool)           { return everybody{}, true }
func (everybody) Manager([]string) (policies.Manager, bool)          { return everybody{}, true }
func (everybody) EvaluateSignedData([]*protoutil.SignedData) error   { return nil }
func (everybody) EvaluateIdentities(identities []msp.Identity) error { return nil }
