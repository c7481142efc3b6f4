// SPDX-License-Identifier: Apache-2.0

package keyd

import (
	"errors"
	"time"
)

// Pauses between attempts of Retry. An attempt with a device that is away takes its own time.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// Retry calls do until it succeeds, fails for another reason than that a device cannot be used, or stop is closed. It is for what a process
// does on its own account and cannot leave undone. Requests of others fail instead, so that the others learn of it.
func Retry(stop <-chan struct{}, do func() error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := do()
		var device interface{ DeviceUnavailable() bool }
		if !errors.As(err, &device) || !device.DeviceUnavailable() {
			return err
		}
		select {
		case <-stop:
			return err
		case <-time.After(pause):
		}
	}
}
