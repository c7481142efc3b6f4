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
	csp, err := initFactories(config)
	if err == nil {
		defaultBCCSP.Store(&csp)
	}
	return err
}

// Forget makes InitFactories begin again, as in a new process, until the test ends. For the tests in package factory_test.
func Forget(t *testing.T) {
	t.Helper()
	before, failure := defaultBCCSP.Load(), factoriesInitError.Load()
	t.Cleanup(func() {
		defaultBCCSP.Store(before)
		factoriesInitError.Store(failure)
		factoriesInitOnce = sync.Once{}
	})
	defaultBCCSP.Store(nil)
	factoriesInitError.Store(nil)
	factoriesInitOnce = sync.Once{}
}
