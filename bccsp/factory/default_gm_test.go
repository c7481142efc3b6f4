// SPDX-License-Identifier: Apache-2.0

package factory

import (
	"sync"
	"testing"
)

// startOver makes the default provider as a process does at its start. The one before comes back after the test.
func startOver(t *testing.T, config *FactoryOpts) error {
	t.Helper()
	Forget(t)
	return initFactories(config)
}

// Forget makes InitFactories begin again, as in a new process, until the test ends. For the tests in package factory_test.
func Forget(t *testing.T) {
	t.Helper()
	before, failure := defaultBCCSP, factoriesInitError
	t.Cleanup(func() {
		defaultBCCSP, factoriesInitError = before, failure
		factoriesInitOnce = sync.Once{}
	})
	defaultBCCSP, factoriesInitError = nil, nil
	factoriesInitOnce = sync.Once{}
}
