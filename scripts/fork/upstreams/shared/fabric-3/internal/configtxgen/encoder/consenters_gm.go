// SPDX-License-Identifier: Apache-2.0

package encoder

import "github.com/hyperledger/fabric/common/consenter"

// readTLSCerts reads the file that a TLS field of a consenter names.
func readTLSCerts(file string) ([]byte, error) { return consenter.ReadField(file) }

// readIdentity reads the file with a consenter's identity.
func readIdentity(file string) ([]byte, error) { return consenter.ReadIdentity(file) }
