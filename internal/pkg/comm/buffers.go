// SPDX-License-Identifier: Apache-2.0

//fork:file perf: gRPC clears buffers of the size of a message, not of 1 MiB

package comm

import (
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
)

// gRPC's pool has buffers of 32 KiB and of 1 MiB, and nothing between. A message of 33 KiB, as blocks and large transactions
// are, thus takes 1 MiB, three times on its way, and gRPC clears all of it each time. Here each power of two has buffers.
func init() {
	pool, err := mem.NewBinaryTieredBufferPool(8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)
	if err != nil {
		panic("comm: " + err.Error()) // sizes that no processor can address
	}
	experimental.SetDefaultBufferPool(pool)
}
