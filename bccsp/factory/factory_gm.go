// SPDX-License-Identifier: Apache-2.0

package factory

import (
	"fmt"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/sw"
)

// FactoryOpts holds the section BCCSP of a node's configuration.
//
//fork:fields the section BCCSP.GM and the key BCCSP.VerificationMemo
type FactoryOpts struct {
	GM *GmOpts `json:"GM,omitempty" yaml:"GM,omitempty"`
	// VerificationMemo makes the node remember which signatures it has verified; nil means true.
	VerificationMemo *bool `json:"VerificationMemo,omitempty" yaml:"VerificationMemo,omitempty"`
}

// GetDefault returns the provider of this process. A process whose cryptography gives wrong answers must not go on,
// and callers cannot take an error, so a failed self-test panics.
//
//fork:wrap say which algorithm failed where upstream hides the error
func GetDefault() bccsp.BCCSP {
	if err := gm.SelfTest(); err != nil {
		panic(err)
	}
	return upstreamGetDefault()
}

// initFactories sets the default provider, and whether all providers remember verifications.
//
//fork:wrap BCCSP.Default GM, BCCSP.VerificationMemo
func initFactories(config *FactoryOpts) error {
	sw.RememberVerifications(config == nil || config.VerificationMemo == nil || *config.VerificationMemo)
	if config == nil || config.Default != GMBasedFactoryName {
		return upstreamInitFactories(config)
	}
	csp, err := initBCCSP(&GMFactory{}, config)
	if err != nil {
		return fmt.Errorf("Failed initializing BCCSP: %w", err)
	}
	defaultBCCSP = csp
	return nil
}

// GetBCCSPFromOpts returns a new provider.
//
//fork:wrap BCCSP.Default GM
func GetBCCSPFromOpts(config *FactoryOpts) (bccsp.BCCSP, error) {
	if config == nil || config.Default != GMBasedFactoryName {
		return upstreamGetBCCSPFromOpts(config)
	}
	return (&GMFactory{}).Get(config)
}
