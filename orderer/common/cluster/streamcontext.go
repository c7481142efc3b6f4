// SPDX-License-Identifier: Apache-2.0

package cluster

import "context"

// context ends with the stream.
func (stream *Stream) context() context.Context { return stream.Context() }
