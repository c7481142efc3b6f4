// SPDX-License-Identifier: Apache-2.0

package cluster

import "crypto/x509"

// IsOwn is isOwn for the tests of the package.
func (p *BlockPuller) IsOwn(shown *x509.Certificate) bool { return p.isOwn(shown) }
