// SPDX-License-Identifier: Apache-2.0

//fork:file perf: gRPC clears buffers of the size of a message, not of 1 MiB

package comm

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"
)

func TestBuffersFitMessages(t *testing.T) {
	pool := mem.DefaultBufferPool()
	for size := 1 << 10; size <= 1<<20; size += 1 << 10 {
		buffer := pool.Get(size)
		require.Len(t, *buffer, size)
		require.LessOrEqual(t, cap(*buffer), 2*size)
		pool.Put(buffer)
	}
}
