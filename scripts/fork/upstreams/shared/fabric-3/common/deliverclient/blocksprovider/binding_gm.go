// SPDX-License-Identifier: Apache-2.0

package blocksprovider

// liveBinding returns the hash of the client certificate for seek requests. With mutual TLS it is asked of the dialer at each
// attempt: the certificate may have been rotated, or the dialer's mode switched, since the deliverer was made.
func liveBinding(dialer Dialer, configured []byte) []byte {
	live, ok := dialer.(interface{ BindingHash() []byte })
	if !ok || len(configured) == 0 {
		return configured
	}
	return live.BindingHash()
}

// BindingHash returns the hash of the certificate that the next connection of this dialer presents, nil when it presents none.
func (d DialerAdapter) BindingHash() []byte {
	return d.ClientConfig.SecOpts.BindingHash()
}
