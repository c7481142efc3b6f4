// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"context"
	"time"

	"github.com/hyperledger/fabric-lib-go/healthz"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// keyHealthLimit is how long a health check waits for the keys in devices: less than an operation does, so that a probe gets an answer.
const keyHealthLimit = 2 * time.Second

// keyHealth is red while a key in a device that this node uses cannot be used.
type keyHealth struct{}

// HealthCheck asks the daemon for every key in use.
func (keyHealth) HealthCheck(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keyHealthLimit)
	defer cancel()
	return keyd.Health(ctx)
}

// RegisterKeyHealth adds the component "keys" to /healthz.
func RegisterKeyHealth(system interface {
	RegisterChecker(component string, checker healthz.HealthChecker) error
}) {
	if err := system.RegisterChecker("keys", keyHealth{}); err != nil {
		panic(err) // the name is taken: a fault of this program
	}
}
