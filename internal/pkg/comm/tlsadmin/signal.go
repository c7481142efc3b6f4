// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// ReloadOnHangup reloads the files of all roles at every SIGHUP, until stop
// is called, and records that the node has started. The outcome is logged and part of the handler's state.
func ReloadOnHangup() (stop func()) {
	audit.Record(audit.Started, "pid", os.Getpid())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
				if err := comm.Reload(""); err != nil {
					logger.Errorf("SIGHUP: certificates were not reloaded, nothing has changed: %s", err)
					audit.Record(audit.ReloadFailed, "by", "SIGHUP", "reason", err.Error())
					continue
				}
				logger.Info("SIGHUP: certificates reloaded")
				audit.Record(audit.ReloadDone, "by", "SIGHUP")
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
