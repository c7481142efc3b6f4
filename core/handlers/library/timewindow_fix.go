// SPDX-License-Identifier: Apache-2.0

package library

import (
	"time"

	"github.com/hyperledger/fabric/core/handlers/auth"
	"github.com/hyperledger/fabric/core/handlers/auth/filter"
	"github.com/spf13/viper"
)

// defaultTimeWindow is what a peer takes for peer.authentication.timewindow where nothing is configured.
const defaultTimeWindow = 15 * time.Minute

// TimeWindowCheck is an auth filter, to be named in peer.handlers.authFilters, which refuses proposals whose timestamp is farther
// than peer.authentication.timewindow from this peer's clock.
func (r *HandlerLibrary) TimeWindowCheck() auth.Filter {
	window := viper.GetDuration("peer.authentication.timewindow")
	if window <= 0 {
		window = defaultTimeWindow
	}
	return filter.NewTimeWindow(window)
}
