// SPDX-License-Identifier: Apache-2.0

package blocksprovider

// bindingHash returns the hash of the client certificate for the seek request. With mutual TLS it is asked of the dialer at
// each attempt: the certificate may have been rotated, or the dialer's mode switched, since this deliverer was made.
func (d *Deliverer) bindingHash() []byte {
	live, ok := d.Dialer.(interface{ BindingHash() []byte })
	if !ok || len(d.TLSCertHash) == 0 {
		return d.TLSCertHash
	}
	return live.BindingHash()
}
