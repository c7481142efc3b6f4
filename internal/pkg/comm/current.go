// SPDX-License-Identifier: Apache-2.0

package comm

// CurrentCertificate returns the certificate bundle in PEM that has replaced the
// given one, which some source has presented since the start of the process. A bundle of no source is returned as it is. Code that has kept the
// bytes of the node's certificate uses it to follow reloads.
func CurrentCertificate(bundle []byte) []byte {
	if s := sourceOf(bundle); s != nil {
		return s.Material().PEM()
	}
	return bundle
}
