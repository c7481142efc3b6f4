// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package capture

import (
	"context"
	"errors"

	"github.com/gopacket/gopacket/layers"
)

func watch(context.Context, string, layers.TCPPort) (*Report, error) {
	return nil, errors.New("watching an interface works on Linux only; use tcpdump -w and give the file")
}
