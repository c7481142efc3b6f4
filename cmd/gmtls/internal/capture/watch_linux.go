// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/net/bpf"
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

// ReadPacketData returns io.EOF when the context has ended and all packets that
// were read have been returned.
func (l *live) ReadPacketData() ([]byte, gopacket.CaptureInfo, error) {
	select {
	case p := <-l.packets:
		return p.data, p.info, p.err
	default:
	}
	select {
	case p := <-l.packets:
		return p.data, p.info, p.err
	case <-l.ctx.Done():
		return nil, gopacket.CaptureInfo{}, io.EOF
	}
}

// watch collects what crosses an interface until ctx ends.
func watch(ctx context.Context, iface string, o Options) (*Report, error) {
	handle, err := attach(iface, uint16(o.Port))
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", iface, err)
	}
	counted := make(chan struct{})
	defer close(counted)
	r, err := follow(ctx, handle, o, func() {
		<-counted
		handle.Close()
	})
	if err != nil {
		return nil, err
	}
	if stats, err := handle.Stats(); err == nil {
		r.Dropped = int(stats.Drops)
	}
	return r, nil
}

// follow collects the packets of a source whose reading blocks, until ctx ends.
// release is called when the source is not read from any more: with the first
// packet after that, since the reading has no deadline.
func follow(ctx context.Context, source gopacket.PacketDataSource, o Options, release func()) (*Report, error) {
	l := &live{ctx, make(chan captured, queued)}
	go func() {
		defer release()
		for ctx.Err() == nil {
			var p captured
			p.data, p.info, p.err = source.ReadPacketData()
			select {
			case l.packets <- p:
			case <-ctx.Done():
			}
			if p.err != nil {
				return
			}
		}
	}()
	return collect(l, layers.LinkTypeEthernet, o)
}

// attach opens an interface for the TCP packets of a port. Others may come
// only from the moment between opening it and telling the kernel.
func attach(iface string, port uint16) (*pcapgo.EthernetHandle, error) {
	if err := permitted(iface); err != nil {
		return nil, err
	}
	filter, err := bpf.Assemble(portFilter(port))
	if err != nil {
		return nil, err
	}
	handle, err := pcapgo.NewEthernetHandle(iface)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(handle.SetCaptureLength(maxFrame), handle.SetBPF(filter)); err != nil {
		handle.Close()
		return nil, fmt.Errorf("setting the filter for the port: %w", err)
	}
	return handle, nil
}

// permitted checks what the packet library does not tell apart: whether there is
// such an interface, of Ethernet frames, and whether it may be watched.
func permitted(iface string) error {
	if _, err := net.InterfaceByName(iface); err != nil {
		return errors.New("there is no such interface")
	}
	const ethernet, loopback = "1", "772" // ARPHRD_ETHER, ARPHRD_LOOPBACK
	kind, err := os.ReadFile("/sys/class/net/" + iface + "/type")
	if k := strings.TrimSpace(string(kind)); err == nil && k != ethernet && k != loopback {
		return fmt.Errorf("its frames are not Ethernet's (type %s); use tcpdump -w and give the file", k)
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0) // of protocol 0: it gets nothing
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("it is not permitted (%w); it needs root or CAP_NET_RAW; or use tcpdump -w and a file", err)
	}
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}
