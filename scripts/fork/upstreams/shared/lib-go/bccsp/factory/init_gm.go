// SPDX-License-Identifier: Apache-2.0

package factory

import (
	"fmt"

	"github.com/hyperledger/fabric/bccsp"
)

// initFactories returns the default provider, and sets whether all providers remember verifications.
//
//fork:wrap gm: a node takes its default provider from BCCSP.Default: GM, the memo from BCCSP.VerificationMemo, random bytes from BCCSP.GM.Random, and says what to do instead of BCCSP.Default: PKCS11
func initFactories(config *FactoryOpts) (bccsp.BCCSP, error) {
	if err := prepare(config); err != nil {
		return nil, err
	}
	if config == nil || config.Default != GMBasedFactoryName {
		return upstreamInitFactories(config)
	}
	csp, err := initBCCSP(&GMFactory{}, config)
	if err != nil {
		return nil, fmt.Errorf("Failed initializing BCCSP: %w", err)
	}
	return csp, nil
}
