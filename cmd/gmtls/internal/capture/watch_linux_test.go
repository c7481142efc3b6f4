// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// untilEnd reads from an interface. ended is closed when packets that end both
// directions of a connection were read and passed on.
type untilEnd struct {
	handle *pcapgo.EthernetHandle
	ports  map[layers.TCPPort]bool // that ended
	all    map[layers.TCPPort]bool // that were met
	ended  chan struct{}
}

func (u *untilEnd) ReadPacketData() ([]byte, gopacket.CaptureInfo, error) {
	if len(u.ports) == 2 {
		close(u.ended)
		u.ports = nil
	}
	data, info, err := u.handle.ReadPacketData()
	packet := gopacket.NewPacket(data, layers.LinkTypeEthernet, gopacket.Default)
	if tcp, ok := packet.TransportLayer().(*layers.TCP); ok {
		u.all[tcp.SrcPort], u.all[tcp.DstPort] = true, true
		if u.ports != nil && tcp.FIN {
			u.ports[tcp.SrcPort] = true
		}
	}
	return data, info, err
}

func listen(t *testing.T, handle func(net.Conn)) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go handle(c)
		}
	}()
	return l
}

func port(l net.Listener) layers.TCPPort { return layers.TCPPort(l.Addr().(*net.TCPAddr).Port) }

// A handshake on the loopback interface is seen and decrypted; what another port
// carries meanwhile does not come from the kernel.
func TestWatchLoopback(t *testing.T) {
	m := newFixture(t)
	l, other := listen(t, m.tlcpServer(0)), listen(t, m.tlcpServer(0))
	handle, err := attach("lo", uint16(port(l)))
	if err != nil { // where it is not permitted it must say what to do instead
		require.ErrorContains(t, err, "it takes root or CAP_NET_RAW")
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	source := &untilEnd{handle: handle, ports: make(map[layers.TCPPort]bool), all: make(map[layers.TCPPort]bool), ended: make(chan struct{})}
	type result struct {
		r   *Report
		err error
	}
	var log bytes.Buffer
	done, released := make(chan result, 1), make(chan struct{})
	connect := func(to net.Listener) {
		raw, err := net.Dial("tcp", to.Addr().String())
		require.NoError(t, err)
		require.NoError(t, raw.SetDeadline(time.Now().Add(time.Minute)))
		talk(gmtls.Client(raw, &gmtls.Config{RootCAs: m.roots.SM(), ServerName: "peer", KeyLogWriter: &log}))
		raw.Close()
	}
	connect(other)
	connect(l)
	o := Options{Port: port(l), Keys: keyLog(t, log.String()), Payload: 5}
	go func() {
		r, err := follow(ctx, source, o, func() { handle.Close(); close(released) })
		done <- result{r, err}
	}()
	select {
	case <-source.ended:
	case <-ctx.Done():
		require.FailNow(t, "the end of the connection was not seen")
	}
	cancel()
	got := <-done
	require.NoError(t, got.err)
	require.Len(t, got.r.Conversations, 1)
	c := got.r.Conversations[0]
	require.Equal(t, "TLCP 1.1", c.Protocol)
	require.True(t, c.Complete)
	require.Equal(t, [2]int{5, 5}, c.Data)
	_, data := encrypted(c, false)
	require.Equal(t, "hello", string(data))
	connect(l) // wakes the reader, which then ends
	<-released
	require.True(t, source.all[port(l)])
	require.NotContains(t, source.all, port(other))
}

func TestWatchUnknownInterface(t *testing.T) {
	_, err := watch(context.Background(), "nosuch0", Options{Port: 1})
	require.EqualError(t, err, "watching nosuch0: there is no such interface")
}

// Without the capability the error says what it takes. A thread gives its own
// up, and ends with the test.
func TestWatchNotPermitted(t *testing.T) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread must not come back
		header := struct {
			version uint32
			pid     int32
		}{0x20080522, 0} // _LINUX_CAPABILITY_VERSION_3, this thread
		var none [2]struct{ effective, permitted, inheritable uint32 }
		_, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0)
		if errno != 0 {
			done <- errno
			return
		}
		_, err := watch(context.Background(), "lo", Options{Port: 1})
		done <- err
	}()
	err := <-done
	require.ErrorContains(t, err, "watching lo: it is not permitted (operation not permitted); it needs root or CAP_NET_RAW; or use tcpdump -w and a file")
	require.False(t, strings.Contains(err.Error(), "\n"))
}
