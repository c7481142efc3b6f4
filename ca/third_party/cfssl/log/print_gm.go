// SPDX-License-Identifier: Apache-2.0

package log

import "github.com/hyperledger/fabric/common/loglimit"

// print writes a line, in which nothing looks like the start of another, as in the logs of nodes.
//
//fork:wrap fix: names that strangers choose were in the log as they are: a line break in one began a line that looked like any other, a security event perhaps
func print(l int, msg string) {
	if l >= Level {
		upstreamPrint(l, loglimit.Quote(msg))
	}
}
