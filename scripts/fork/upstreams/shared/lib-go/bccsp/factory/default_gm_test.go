// SPDX-License-Identifier: Apache-2.0

package factory

import "testing"

// startOver makes the default provider as a process does at its start. The one before comes back after the test.
func startOver(t *testing.T, config *FactoryOpts) error {
	t.Helper()
	before := defaultBCCSP.Load()
	t.Cleanup(func() { defaultBCCSP.Store(before) })
	defaultBCCSP.Store(nil)
	csp, err := initFactories(config)
	if err == nil {
		defaultBCCSP.Store(&csp)
	}
	return err
}
