// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package capture

import (
	"context"
	"errors"
)

func watch(context.Context, string, Options) (*Report, error) {
	return nil, errors.New("watching an interface works on Linux only; use tcpdump -w and give the file")
}
