// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// The packet library makes frames, the interpreter of golang.org/x/net runs the
// program as a kernel would.
func TestPortFilter(t *testing.T) {
	vm, err := bpf.NewVM(portFilter(7051))
	require.NoError(t, err)
	_, err = bpf.Assemble(portFilter(7051))
	require.NoError(t, err)

	v4 := func(change func(*layers.IPv4)) *layers.IPv4 {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IPv4(10, 0, 0, 1), DstIP: net.IPv4(10, 0, 0, 2)}
		if change != nil {
			change(ip)
		}
		return ip
	}
	v6 := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolTCP, SrcIP: net.ParseIP("fe80::1"), DstIP: net.ParseIP("fe80::2")}
	udp6 := *v6
	udp6.NextHeader = layers.IPProtocolUDP
	tcp := func(from, to layers.TCPPort) *layers.TCP { return &layers.TCP{SrcPort: from, DstPort: to} }
	for name, c := range map[string]struct {
		want  bool
		parts []gopacket.SerializableLayer
	}{
		"to":    {true, []gopacket.SerializableLayer{v4(nil), tcp(40000, 7051)}},
		"from":  {true, []gopacket.SerializableLayer{v4(nil), tcp(7051, 40000)}},
		"other": {false, []gopacket.SerializableLayer{v4(nil), tcp(40000, 7052)}},
		"IP options": {true, []gopacket.SerializableLayer{v4(func(ip *layers.IPv4) {
			ip.Options = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}}
		}), tcp(1, 7051)}},
		"options, other": {false, []gopacket.SerializableLayer{v4(func(ip *layers.IPv4) {
			ip.Options = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0x1b, 0x8b}}}
		}), tcp(1, 2)}},
		"UDP":              {false, []gopacket.SerializableLayer{v4(func(ip *layers.IPv4) { ip.Protocol = layers.IPProtocolUDP }), &layers.UDP{SrcPort: 7051, DstPort: 7051}}},
		"first fragment":   {true, []gopacket.SerializableLayer{v4(func(ip *layers.IPv4) { ip.Flags = layers.IPv4MoreFragments }), tcp(1, 7051)}},
		"further fragment": {false, []gopacket.SerializableLayer{v4(func(ip *layers.IPv4) { ip.FragOffset = 100 }), tcp(7051, 7051)}},
		"IPv6 to":          {true, []gopacket.SerializableLayer{v6, tcp(40000, 7051)}},
		"IPv6 from":        {true, []gopacket.SerializableLayer{v6, tcp(7051, 40000)}},
		"IPv6 other":       {false, []gopacket.SerializableLayer{v6, tcp(7050, 40000)}},
		"IPv6 UDP":         {false, []gopacket.SerializableLayer{&udp6, &layers.UDP{SrcPort: 7051, DstPort: 7051}}},
	} {
		t.Run(name, func(t *testing.T) {
			kind := layers.EthernetTypeIPv4
			if c.parts[0].LayerType() == layers.LayerTypeIPv6 {
				kind = layers.EthernetTypeIPv6
			}
			all := append([]gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: kind}}, c.parts...)
			buf := gopacket.NewSerializeBuffer()
			require.NoError(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, all...))
			n, err := vm.Run(buf.Bytes())
			require.NoError(t, err)
			require.Equal(t, c.want, n > 0)
		})
	}
	n, err := vm.Run([]byte{1, 2, 3}) // shorter than what the program looks at
	require.NoError(t, err)
	require.Zero(t, n)
	arp := make([]byte, 60)
	arp[12], arp[13] = 8, 6
	n, err = vm.Run(arp)
	require.NoError(t, err)
	require.Zero(t, n)
}
