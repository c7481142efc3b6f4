// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// queued is the number of packets that may wait for assembly.
const queued = 4096

type captured struct {
	data []byte
	info gopacket.CaptureInfo
	err  error
}

// live gives the packets of an interface until its context ends.
type live struct {
	ctx     context.Context
	packets chan captured
}

// ReadPacketData returns io.EOF when the context has ended.
func (l *live) ReadPacketData() ([]byte, gopacket.CaptureInfo, error) {
	select {
	case p := <-l.packets:
		return p.data, p.info, p.err
	case <-l.ctx.Done():
		return nil, gopacket.CaptureInfo{}, io.EOF
	}
}

// watch collects what crosses an interface until ctx ends.
func watch(ctx context.Context, iface string, port layers.TCPPort) (*Report, error) {
	handle, err := pcapgo.NewEthernetHandle(iface)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("watching %s is not permitted (%w); it takes root or CAP_NET_RAW, or tcpdump -w and a file", iface, err)
		}
		return nil, fmt.Errorf("watching %s: %w", iface, err)
	}
	l := &live{ctx, make(chan captured, queued)}
	go func() {
		// The read below has no deadline: the goroutine ends with the first packet after ctx.
		defer handle.Close()
		for ctx.Err() == nil {
			var p captured
			p.data, p.info, p.err = handle.ReadPacketData()
			select {
			case l.packets <- p:
			case <-ctx.Done():
			}
			if p.err != nil {
				return
			}
		}
	}()
	return collect(l, layers.LinkTypeEthernet, port)
}
