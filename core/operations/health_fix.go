// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"github.com/hyperledger/fabric-lib-go/healthz"

	"github.com/hyperledger/fabric/internal/pkg/comm/tlsadmin"
)

// initializeHealthCheckHandler answers /healthz, to everybody who reaches it.
//
//fork:replace fix: requests for /healthz share one run of the checks, and clients that leave early leave nothing behind
func (s *System) initializeHealthCheckHandler() {
	s.healthHandler = healthz.NewHealthHandler()
	s.RegisterHandler("/healthz", tlsadmin.NewHealthHandler(s.healthHandler), false)
}
