// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/factory"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/mspfolder"
	"github.com/pkg/errors"
	"gopkg.in/yaml.v2"
)

// getMspConfig reads an MSP folder.
//
//fork:wrap gm: gives SM2 organisations hash family SM3; their certificates that config.yaml names have to be there; revocation lists that cannot be verified are refused by their file
func getMspConfig(dir string, ID string, sigid *m.SigningIdentityInfo) (*m.MSPConfig, error) {
	config, err := upstreamGetMspConfig(dir, ID, sigid)
	if err != nil {
		return nil, err
	}
	if config == nil { // upstream says nothing of a folder that has files, and no certificate in them
		return nil, errors.Errorf("%s holds no certificate of a CA", filepath.Join(dir, cacerts))
	}
	fabric := &m.FabricMSPConfig{}
	if err := proto.Unmarshal(config.Config, fabric); err != nil {
		return nil, errors.Wrap(err, "reading MSP configuration")
	}
	if err := readUnitCertificates(dir, fabric); err != nil {
		return nil, err
	}
	check := mspfolder.CheckFolderList
	if sigid == nil { // the folder becomes a part of a channel's configuration
		check = mspfolder.CheckChannelList
	}
	if err := checkLists(dir, fabric, check); err != nil {
		return nil, err
	}
	// As in stock Fabric, orderers and commands start with such a list, because they judge nobody by their own folder. A peer ends, with an error
	// that does not name the file.
	if err := checkLists(dir, fabric, mspfolder.CheckChannelList); err != nil {
		mspLogger.Warningf("%s; a peer does not start with it, and it revokes nobody", err)
	}
	if err := nameSM3(fabric); err != nil {
		return nil, err
	}
	raw, err := proto.Marshal(fabric)
	if err != nil {
		return nil, errors.Wrap(err, "encoding MSP configuration")
	}
	return &m.MSPConfig{Config: raw, Type: config.Type}, nil
}

// readUnitCertificates turns the certificates that config.yaml names, which upstream has read, into PEM. Where a file is not
// there upstream warns and takes every CA for meant; that stops the node if the MSP has an SM2 CA.
func readUnitCertificates(dir string, fabric *m.FabricMSPConfig) error {
	text, err := os.ReadFile(filepath.Join(dir, configfilename))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return errors.Wrap(err, "failed loading configuration file")
	}
	config := Configuration{}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return errors.Wrapf(err, "failed unmarshalling configuration file at [%s]", filepath.Join(dir, configfilename))
	}
	read := func(key, name string, content *[]byte) error {
		if name == "" {
			return nil
		}
		file := filepath.Join(dir, name)
		if *content == nil {
			if !mspfolder.ServesSM2(dir) {
				return nil
			}
			_, err := os.Stat(file) // for the reason alone
			return errors.Errorf("%s of %s names a certificate that was not read: %v", key, filepath.Join(dir, configfilename), err)
		}
		certs, err := material.ParseCertificates(file, *content)
		if err != nil {
			return errors.WithMessagef(err, "%s of %s", key, filepath.Join(dir, configfilename))
		}
		*content = certs[0].PEM()
		return nil
	}
	for i, unit := range fabric.OrganizationalUnitIdentifiers {
		if err := read("OrganizationalUnitIdentifiers", config.OrganizationalUnitIdentifiers[i].Certificate, &unit.Certificate); err != nil {
			return err
		}
	}
	if fabric.FabricNodeOus == nil {
		return nil
	}
	for _, unit := range []struct {
		key   string
		named *OrganizationalUnitIdentifiersConfiguration
		into  *m.FabricOUIdentifier
	}{
		{"ClientOUIdentifier", config.NodeOUs.ClientOUIdentifier, fabric.FabricNodeOus.ClientOuIdentifier},
		{"PeerOUIdentifier", config.NodeOUs.PeerOUIdentifier, fabric.FabricNodeOus.PeerOuIdentifier},
		{"AdminOUIdentifier", config.NodeOUs.AdminOUIdentifier, fabric.FabricNodeOus.AdminOuIdentifier},
		{"OrdererOUIdentifier", config.NodeOUs.OrdererOUIdentifier, fabric.FabricNodeOus.OrdererOuIdentifier},
	} {
		if unit.into == nil {
			continue
		}
		if err := read("NodeOUs."+unit.key+".Certificate", unit.named.Certificate, &unit.into.Certificate); err != nil {
			return err
		}
	}
	return nil
}

// nameSM3 sets signature hash family and identity hash to SM3 if every root of
// the MSP is SM2. Otherwise the configuration stays as upstream makes it: SM2
// identities then still sign with SM3, since the algorithm follows the key.
func nameSM3(fabric *m.FabricMSPConfig) error {
	cas, err := configuredCAs(fabric)
	if err != nil {
		return err
	}
	for _, ca := range cas {
		if ca.Family() != material.SM2 {
			return nil
		}
	}
	fabric.CryptoConfig = &m.FabricCryptoConfig{
		SignatureHashFamily:            bccsp.SM3,
		IdentityIdentifierHashFunction: bccsp.SM3,
	}
	return nil
}

// configuredCAs returns the CAs of identities in an MSP's configuration.
func configuredCAs(fabric *m.FabricMSPConfig) ([]*material.Certificate, error) {
	var cas []*material.Certificate
	for _, text := range slices.Concat(fabric.RootCerts, fabric.IntermediateCerts) {
		certs, err := material.ParseCertificates("CA of MSP "+fabric.Name, text)
		if err != nil {
			return nil, err
		}
		cas = append(cas, certs...)
	}
	return cas, nil
}

// SetupBCCSPKeystoreConfig points the provider's key store to keystoreDir unless
// the configuration names another folder.
//
//fork:wrap gm: tools find the key store of BCCSP.Default GM
func SetupBCCSPKeystoreConfig(bccspConfig *factory.FactoryOpts, keystoreDir string) *factory.FactoryOpts {
	bccspConfig = upstreamSetupBCCSPKeystoreConfig(bccspConfig, keystoreDir)
	if bccspConfig.Default != factory.GMBasedFactoryName || keystorePath(bccspConfig) != "" {
		return bccspConfig
	}
	if bccspConfig.GM == nil {
		bccspConfig.GM = &factory.GmOpts{}
	}
	if bccspConfig.GM.FileKeystore == nil {
		bccspConfig.GM.FileKeystore = &factory.GmFileKeystoreOpts{}
	}
	bccspConfig.GM.FileKeystore.KeyStorePath = keystoreDir
	return bccspConfig
}

// keystorePath returns the folder in which the provider keeps its keys, or "".
func keystorePath(bccspConfig *factory.FactoryOpts) string {
	if bccspConfig.Default == factory.GMBasedFactoryName && bccspConfig.GM != nil &&
		bccspConfig.GM.FileKeystore != nil && bccspConfig.GM.FileKeystore.KeyStorePath != "" {
		return bccspConfig.GM.FileKeystore.KeyStorePath
	}
	if bccspConfig.SW != nil && bccspConfig.SW.FileKeystore != nil {
		return bccspConfig.SW.FileKeystore.KeyStorePath
	}
	return ""
}

// GetLocalMspConfig reads the MSP folder of a node or client, whose signing key
// is in the provider's keystore.
//
//fork:replace gm: an SM2 certificate without its private key or its CA is refused with the places named
func GetLocalMspConfig(dir string, bccspConfig *factory.FactoryOpts, ID string) (*m.MSPConfig, error) {
	bccspConfig = SetupBCCSPKeystoreConfig(bccspConfig, filepath.Join(dir, keystore))
	if err := factory.InitFactories(bccspConfig); err != nil {
		return nil, errors.WithMessage(err, "could not initialize BCCSP Factories")
	}
	folder := filepath.Join(dir, signcerts)
	found, err := readFolder(folder)
	if err != nil || len(found) == 0 {
		return nil, errors.WithMessagef(orElse(err, "it holds none"), "could not load a valid signer certificate from directory %s", folder)
	}
	own := found[0].(*material.Certificate)
	for _, other := range found[1:] {
		mspLogger.Warningf("%s is not used: the signing certificate is the one in %s", other.(*material.Certificate).File, own.File)
	}
	if path := keystorePath(bccspConfig); path != "" && own.Family() == material.SM2 {
		if err := checkSigningKey(own.Certificate, path); err != nil {
			return nil, errors.WithMessage(err, own.File)
		}
	}
	config, err := getMspConfig(dir, ID, &m.SigningIdentityInfo{PublicSigner: own.PEM()})
	if err != nil {
		return nil, err
	}
	return config, errors.WithMessage(checkSigningChain(own.Certificate, dir, config), own.File)
}

func orElse(err error, reason string) error {
	if err == nil {
		return errors.New(reason)
	}
	return err
}

// checkSigningKey finds the private key of the SM2 certificate cert in
// keystoreDir. A key file that cannot be read here, encrypted for example,
// leaves the decision to the provider.
func checkSigningKey(cert *x509.Certificate, keystoreDir string) error {
	files, err := mspfolder.Files(keystoreDir)
	if err != nil {
		return err
	}
	for _, file := range files {
		read, err := material.Read(file)
		if err != nil {
			return nil
		}
		for _, key := range read.Keys {
			if opened, err := key.Open(nil); err != nil || x509.CheckKeyPair(cert, opened) == nil {
				return nil
			}
		}
	}
	return errors.Errorf("none of the %d private keys in %s belongs to this certificate (subject %s); "+
		"put the key that was generated with it there", len(files), keystoreDir, cert.Subject)
}

// checkSigningChain verifies that a CA of the MSP in dir issued cert, if cert or a CA is SM2, and that the chain is one that the MSP
// takes. Like the MSP itself it does not look at the clock.
func checkSigningChain(cert *x509.Certificate, dir string, config *m.MSPConfig) error {
	fabric := &m.FabricMSPConfig{}
	if err := proto.Unmarshal(config.Config, fabric); err != nil {
		return errors.Wrap(err, "reading MSP configuration")
	}
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: x509.JudgedAt(cert),
	}
	concernsSM2 := x509.IsSM2(cert.PublicKey)
	cas, err := configuredCAs(fabric)
	if err != nil {
		return err
	}
	var intermediates []*x509.Certificate
	for i, ca := range cas {
		pool := opts.Roots
		if i >= len(fabric.RootCerts) {
			pool = opts.Intermediates
			intermediates = append(intermediates, ca.Certificate)
		}
		pool.AddCert(ca.Certificate)
		concernsSM2 = concernsSM2 || ca.Family() == material.SM2
	}
	if !concernsSM2 {
		return nil
	}
	chains, err := x509.Verify(cert, opts)
	switch {
	case err != nil:
	case len(chains) > 1:
		err = explainChains(errors.Errorf("an MSP takes one chain, and there are %d", len(chains)), chains)
	case len(chains[0]) > 1:
		if err = verifyLegacyNameConstraints(chains[0]); err == nil {
			err = mspfolder.CheckParent(cert, chains[0][1], intermediates)
		}
	}
	return errors.WithMessagef(explainChain(err, cert), "the certificate of %s, issued by %s, has no chain to a CA in %s and %s of %s",
		cert.Subject, cert.Issuer, cacerts, intermediatecerts, dir)
}
