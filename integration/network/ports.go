// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreeBlock looks for a base port for a network of up to nine organisations, below the ports that systems give to outgoing
// connections. Blocks are picked at random and do not overlap, so that programs that start at the same time seldom meet; Up checks each
// port and names one that is not free.
func FreeBlock() (base int, err error) {
	const first, last, block, attempts = 12000, 31000, 1000, 100
	for range attempts {
		base := first + block*rand.IntN((last-first)/block)
		if freeFrom(base, base+block) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("found no free block of %d ports between %d and %d", block, first, last)
}

// freeFrom tries each port: a network that runs may have its own elsewhere than at the first port of a node.
func freeFrom(first, end int) bool {
	for port := first; port < end; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = l.Close() // nothing was accepted
	}
	return true
}
