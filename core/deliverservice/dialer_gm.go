// SPDX-License-Identifier: Apache-2.0

package deliverservice

// BindingHash returns the hash of the certificate that the next connection of this dialer presents, nil when it presents none.
func (d DialerAdapter) BindingHash() []byte {
	return d.ClientConfig.SecOpts.BindingHash()
}
