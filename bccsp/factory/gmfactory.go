// SPDX-License-Identifier: Apache-2.0

package factory

import (
	"fmt"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// GMBasedFactoryName is what BCCSP.Default names to make SM2 and SM3 the defaults.
const GMBasedFactoryName = "GM"

// GMFactory makes software providers with the national algorithms as defaults. They serve the same algorithms as those of
// SWFactory: only what options without a named algorithm mean is different.
type GMFactory struct{}

// GmOpts is the section BCCSP.GM.
type GmOpts struct {
	// Security is the security level in bits: 256, also when 0.
	Security int `json:"security" yaml:"Security"`
	// Hash is the default hash family: SM3, also when empty, SHA2 or SHA3. Peers that run chaincode of the 1.x lifecycle
	// must use SHA2: its fingerprints are on the ledger and computed with the default hash.
	Hash string `json:"hash" yaml:"Hash"`
	// Random is where the national algorithms, TLCP included, take random bytes from: system, also when empty, or device: the
	// system's mixed with those of a device behind gmkeyd; a device that fails makes the operation fail. It holds whatever
	// BCCSP.Default is. Go's own algorithms take the system's.
	Random string `json:"random,omitempty" yaml:"Random,omitempty"`
	// RandomSocket is gmkeyd's, /run/gmkeyd/gmkeyd.sock if empty; RandomDevice the name of the device, its first with random bytes if empty.
	RandomSocket string `json:"randomsocket,omitempty" yaml:"RandomSocket,omitempty"`
	RandomDevice string `json:"randomdevice,omitempty" yaml:"RandomDevice,omitempty"`
	// Strict lets the process use only approved algorithms: TLCP on every connection, SM2 identities, channels whose MSPs are of SM2.
	// It does not start if the power-on tests fail.
	Strict bool `json:"strict,omitempty" yaml:"Strict,omitempty" skip:"true"`
	// FileKeystore says where keys are kept. Nil means BCCSP.SW.FileKeyStore, which Fabric points to the keystore folder
	// of the local MSP, or if there is none either, that keys are not kept.
	FileKeystore *GmFileKeystoreOpts `json:"filekeystore,omitempty" yaml:"FileKeyStore,omitempty"`
}

// GmFileKeystoreOpts is the section BCCSP.GM.FileKeyStore.
type GmFileKeystoreOpts struct {
	// KeyStorePath is a folder, created if it does not exist. Empty means as in GmOpts.FileKeystore.
	KeyStorePath string `mapstructure:"KeyStore" json:"keystore" yaml:"KeyStore"`
	// PasswordFile names a file whose first line is the password of encrypted key files; keys that are stored are
	// encrypted with it. Empty means no password.
	PasswordFile string `json:"passwordfile" yaml:"PasswordFile"`
}

// Name returns GM.
func (f *GMFactory) Name() string { return GMBasedFactoryName }

// Get returns a provider for config.GM; nil there means all defaults.
func (f *GMFactory) Get(config *FactoryOpts) (bccsp.BCCSP, error) {
	if config == nil {
		return nil, fmt.Errorf("no configuration of BCCSP given")
	}
	opts := GmOpts{}
	if config.GM != nil {
		opts = *config.GM
	}
	if opts.Security == 0 {
		opts.Security = 256
	}
	if opts.Hash == "" {
		opts.Hash = bccsp.SM3
	}
	keyStore, err := gmKeyStore(opts.FileKeystore, config.SW)
	if err != nil {
		return nil, err
	}
	provider, err := sw.NewWithParams(opts.Security, opts.Hash, keyStore)
	if err != nil {
		return nil, fmt.Errorf("BCCSP.GM: %w", err)
	}
	csp, ok := provider.(*sw.CSP)
	if !ok {
		return nil, fmt.Errorf("BCCSP.GM: provider is %T, want *sw.CSP", provider)
	}
	if err := gm.RegisterDefaults(csp.AddWrapper); err != nil {
		return nil, fmt.Errorf("BCCSP.GM: %w", err)
	}
	return csp, nil
}

func gmKeyStore(opts *GmFileKeystoreOpts, swOpts *SwOpts) (bccsp.KeyStore, error) {
	if opts == nil {
		opts = &GmFileKeystoreOpts{}
	}
	path := opts.KeyStorePath
	if path == "" && swOpts != nil && swOpts.FileKeystore != nil {
		path = swOpts.FileKeystore.KeyStorePath
	}
	if path == "" {
		if opts.PasswordFile != "" {
			return nil, fmt.Errorf("BCCSP.GM.FileKeyStore: PasswordFile is set, but there is no key store")
		}
		return sw.NewDummyKeyStore(), nil
	}
	password, err := gmx509.ReadPasswordFile(opts.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("BCCSP.GM.FileKeyStore.PasswordFile: %w", err)
	}
	keyStore, err := sw.NewFileBasedKeyStore(password, path, false)
	if err != nil {
		return nil, fmt.Errorf("BCCSP.GM.FileKeyStore.KeyStore: %w", err)
	}
	return keyStore, nil
}
