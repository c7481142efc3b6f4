// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"

	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/pkg/errors"
)

// What an MSP accepts decides which transactions of a channel are valid, so all peers of a channel must judge alike. A rule that
// stock Fabric, or an earlier version of this fork, does not have holds in a channel from the configuration on that names the
// capability, and never by the will of one node. Who asks for an MSP says by its version which rules hold.
const (
	// rulesOfStock are those of a channel without the capability: SM2 identities as version 0.1.0 judged them, all
	// others as stock Fabric does.
	rulesOfStock MSPVersion = 1 << 8
	// rulesGM1 are those of a channel with the capability GM_V1.
	rulesGM1 MSPVersion = 1 << 9
	// Neither: the MSP of the node itself. What it refuses makes no transaction invalid.
)

// WithCapability is the version of the MSPs of a channel that has the capability GM_V1.
func (v MSPVersion) WithCapability() MSPVersion { return v | rulesGM1 }

// OfChannel is the version of the MSPs of a channel, with the capability if v has it.
func (v MSPVersion) OfChannel() MSPVersion {
	if v&rulesGM1 != 0 {
		return v
	}
	return v | rulesOfStock
}

// bccspmsp holds which rules apply, and what is known of its revocation lists.
//
//fork:fields gm: the rules of the channel that the MSP belongs to, and which of its revocation lists were found to be signed
type bccspmsp struct {
	rules      MSPVersion
	knownLists knownLists
}

// OneForm reports whether the MSPs of the version accept one form of each identity alone.
func (v MSPVersion) OneForm() bool { return v&rulesGM1 != 0 }

// split parts a version of upstream from the rules.
func (v MSPVersion) split() (upstream, rules MSPVersion) {
	if v < 0 {
		return v, 0
	}
	rules = v & (rulesOfStock | rulesGM1)
	return v ^ rules, rules
}

// New makes an MSP that follows the rules in the version of opts.
//
//fork:wrap gm: the rules that a channel's capability turns on
func New(opts NewOpts, cryptoProvider bccsp.BCCSP) (MSP, error) {
	var rules MSPVersion
	switch o := opts.(type) {
	case *BCCSPNewOpts:
		var version MSPVersion
		version, rules = o.Version.split()
		opts = &BCCSPNewOpts{NewBaseOpts{Version: version}}
	case *IdemixNewOpts: // identities without certificates
		version, _ := o.Version.split()
		opts = &IdemixNewOpts{NewBaseOpts{Version: version}}
	}
	made, err := upstreamNew(opts, cryptoProvider)
	if x, ok := made.(*bccspmsp); ok {
		x.rules = rules
	}
	return made, err
}

// DeserializeIdentity returns the identity that serialized holds, a SerializedIdentity with a certificate in PEM. It demands
// that these have the one form that nodes write, where the rules say so: what stands around the signed part of a certificate can be
// changed without a key, and policies take each certificate for another signer.
//
//fork:wrap gm: an identity has one form
func (msp *bccspmsp) DeserializeIdentity(serialized []byte) (Identity, error) {
	id, err := msp.upstreamDeserializeIdentity(serialized)
	if err != nil {
		return nil, err
	}
	cert := id.(*identity).cert
	formErr := checkForm(serialized)
	switch {
	case formErr == nil:
		return id, nil
	case msp.rules&rulesGM1 != 0, msp.rules&rulesOfStock == 0 && x509.IsSM2(cert.PublicKey):
		return nil, errors.WithMessagef(formErr, "identity of %s in MSP %s has another form than nodes write", cert.Subject, msp.name)
	}
	mspIdentityLogger.Warnf("The identity of %s in MSP %s has another form than nodes write, which capability GM_V1 of a channel would refuse: %s",
		cert.Subject, msp.name, formErr)
	return id, nil
}

// checkForm refuses a SerializedIdentity of an X.509 MSP in any other form than nodes write.
func checkForm(serialized []byte) error {
	var parts m.SerializedIdentity
	err := proto.Unmarshal(serialized, &parts)
	again, againErr := proto.Marshal(&m.SerializedIdentity{Mspid: parts.Mspid, IdBytes: parts.IdBytes})
	if err != nil || againErr != nil || !bytes.Equal(again, serialized) {
		return errors.New("the SerializedIdentity has fields twice, in another order, or unknown ones")
	}
	_, err = x509.ParseExact(parts.IdBytes)
	return err
}

// followsStock reports whether SM2 has no part in an MSP whose channel follows stock Fabric: what stock nodes accept or refuse is then
// accepted or refused.
func (msp *bccspmsp) followsStock(conf *m.FabricMSPConfig) (bool, error) {
	if msp.rules&rulesOfStock == 0 {
		return false, nil
	}
	cas, err := msp.configuredCAs(conf)
	if err != nil {
		return false, err
	}
	for _, ca := range cas {
		if x509.IsSM2(ca.PublicKey) {
			return false, nil
		}
	}
	return true, nil
}

// configuredCAs returns every CA that the MSP's configuration names.
func (msp *bccspmsp) configuredCAs(conf *m.FabricMSPConfig) ([]*x509.Certificate, error) {
	var cas []*x509.Certificate
	for _, list := range [][][]byte{conf.RootCerts, conf.IntermediateCerts, conf.TlsRootCerts, conf.TlsIntermediateCerts} {
		for _, raw := range list {
			cert, err := msp.getCertFromPem(raw)
			if err != nil {
				return nil, err
			}
			cas = append(cas, cert)
		}
	}
	return cas, nil
}
