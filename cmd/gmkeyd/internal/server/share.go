// SPDX-License-Identifier: Apache-2.0

package server

import (
	"log/slog"
	"time"

	"github.com/hyperledger/fabric/common/loglimit"
)

// Bounds of what one user can take, so that it leaves the others theirs.
const (
	maxConns = 512 // eight processes with as many operations as each may have under way
	maxLarge = 2   // messages above a few KiB in memory at a time
	maxLines = 20  // of the log in a second
)

// share is what one user takes.
type share struct {
	conns, large chan struct{} // one element for each in use
	log          loglimit.Limit
}

func newShare() *share {
	return &share{conns: make(chan struct{}, maxConns), large: make(chan struct{}, maxLarge), log: loglimit.Limit{PerSecond: maxLines}}
}

// warn writes a line that a client caused, or leaves it out if there were many. The next line that is written says how many were left out.
func warn(limit *loglimit.Limit, log *slog.Logger, text string, args ...any) {
	ok, omitted := limit.Take(time.Now())
	if !ok {
		return
	}
	if omitted != 0 {
		args = append(args, "lines left out before", omitted)
	}
	log.Warn(text, args...)
}
