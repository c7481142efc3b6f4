// SPDX-License-Identifier: Apache-2.0

package factory

import (
	"fmt"
	"io"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// Values of BCCSP.GM.Random.
const (
	randomSystem = "system"
	randomDevice = "device"
)

// refusePKCS11 says what stands in place of upstream's provider. Without it a process that already has a provider, as
// orderers do, would continue with that one.
func refusePKCS11(config *FactoryOpts) error {
	if config == nil || config.Default != "PKCS11" || pkcs11Enabled {
		return nil
	}
	return fmt.Errorf("BCCSP.Default: PKCS11 is not part of these binaries: keys in tokens are used through gmkeyd, SM2 and ECDSA. " +
		"Set BCCSP.Default to SW or GM, and put a reference to the key (gmtls key reference) into msp/keystore; see docs/hsm.md")
}

// useRandom makes the national algorithms of this process use the random bytes of a device, if the configuration says so.
func useRandom(config *FactoryOpts) error {
	if config == nil || config.GM == nil {
		return nil
	}
	switch config.GM.Random {
	case "", randomSystem:
		if config.GM.RandomSocket != "" || config.GM.RandomDevice != "" {
			return fmt.Errorf("BCCSP.GM.RandomSocket and RandomDevice are for Random: %s", randomDevice)
		}
		return nil
	case randomDevice:
	default:
		return fmt.Errorf("BCCSP.GM.Random: %q is neither %s nor %s", config.GM.Random, randomSystem, randomDevice)
	}
	socket := config.GM.RandomSocket
	if socket == "" {
		socket = keyd.DefaultSocket
	}
	random := keyd.Random(socket, config.GM.RandomDevice)
	if _, err := io.ReadFull(random, make([]byte, 32)); err != nil {
		return fmt.Errorf("BCCSP.GM.Random: %w", err)
	}
	gm.UseRandom(random)
	return nil
}
