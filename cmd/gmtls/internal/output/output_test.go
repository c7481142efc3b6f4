// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// TestFullDisk: a report that could not be written is an error in both formats.
func TestFullDisk(t *testing.T) {
	for _, f := range []Format{Text, JSON} {
		var out strings.Builder
		cut := iotest.TruncateWriter(&out, 3)
		full := writer(func(p []byte) (int, error) {
			_, _ = cut.Write(p)
			return 0, io.ErrShortWrite
		})
		err := f.Write(full, "a result", func(w io.Writer) { fmt.Fprintln(w, "a result"); fmt.Fprintln(w, "more") })
		require.ErrorIs(t, err, io.ErrShortWrite, f)
		require.Len(t, out.String(), 3)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
