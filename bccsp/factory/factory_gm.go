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
//fork:fields gm: nodes configure the provider GM, and the memo of verifications
type FactoryOpts struct {
	GM *GmOpts `json:"GM,omitempty" yaml:"GM,omitempty"`
	// VerificationMemo makes the node remember which signatures it has verified; nil means true. Fabric CA makes a
	// command line flag of each field that it does not skip.
	VerificationMemo *bool `json:"VerificationMemo,omitempty" yaml:"VerificationMemo,omitempty" skip:"true"`
}

// GetDefault returns the provider of this process. A process whose cryptography gives wrong answers must not continue,
// and callers cannot take an error, so a failed self-test panics.
//
//fork:wrap gm: say which algorithm failed where upstream hides the error
func GetDefault() bccsp.BCCSP {
	if err := gm.SelfTest(); err != nil {
		panic(err)
	}
	return upstreamGetDefault()
}

// GetBCCSPFromOpts returns a new provider.
//
//fork:wrap gm: tools take the provider from BCCSP.Default: GM
func GetBCCSPFromOpts(config *FactoryOpts) (bccsp.BCCSP, error) {
	if err := refusePKCS11(config); err != nil {
		return nil, err
	}
	if config == nil || config.Default != GMBasedFactoryName {
		return upstreamGetBCCSPFromOpts(config)
	}
	return (&GMFactory{}).Get(config)
}

// prepare applies what concerns all providers of the process: the memo of verifications, and the source of random bytes. It
// refuses a configuration that this fork serves in another way.
func prepare(config *FactoryOpts) error {
	remember := config == nil || config.VerificationMemo == nil || *config.VerificationMemo
	if !sw.RememberVerifications(remember) && config != nil && config.VerificationMemo != nil {
		logger.Info("BCCSP.VerificationMemo: true has no effect: this binary was built with PERF=off, without the memo of verifications")
	}
	if err := refusePKCS11(config); err != nil {
		return err
	}
	if err := useRandom(config); err != nil {
		return err
	}
	if config == nil || config.GM == nil || !config.GM.Strict {
		return nil
	}
	if err := gm.EnableStrict(); err != nil {
		return fmt.Errorf("%s: %w", gm.StrictKey, err)
	}
	logger.Infof("%s: only approved algorithms (SM2, SM3, SM4, TLCP); power-on tests of the algorithms and of random bytes passed", gm.StrictKey)
	return nil
}
