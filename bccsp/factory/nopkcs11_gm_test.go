// SPDX-License-Identifier: Apache-2.0

//go:build !pkcs11

package factory

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInitFactories holds upstream's error for a provider that cannot be made, and our answer to one that is not there.
//
//fork:replace gm: BCCSP.Default PKCS11 is answered with what to do instead
func TestInitFactories(t *testing.T) {
	err := startOver(t, &FactoryOpts{Default: "SW", SW: &SwOpts{}})
	require.ErrorContains(t, err, "Failed initializing BCCSP: Could not initialize BCCSP SW")
	require.ErrorContains(t, err, "Hash Family not supported []")
	require.ErrorContains(t, startOver(t, &FactoryOpts{Default: "PKCS11"}), "BCCSP.Default: PKCS11 is not part of these binaries")
}
