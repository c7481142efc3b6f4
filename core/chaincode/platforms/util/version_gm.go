// SPDX-License-Identifier: Apache-2.0

package util

import "strings"

// twoDigitVersion returns the first two parts of a version without its leading v: 2.5 for v2.5.9-gm.0.1.0. It names the
// tag of upstream's chaincode images. A version without dots (latest) is returned as it is.
//
//fork:replace gm: a version with our suffix has dots behind the third part, where upstream cuts at the last dot
func twoDigitVersion(version string) string {
	version = strings.TrimPrefix(version, "v")
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 {
		return version
	}
	return parts[0] + "." + parts[1]
}
