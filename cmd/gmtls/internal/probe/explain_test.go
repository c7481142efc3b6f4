// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
)

// Routes cannot be taken away in a test, so the errors of the system stand for
// them; the other causes are met live in the scripts of package cli.
func TestUnreachable(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
		found := connectFindings("10.0.0.1:7051", err)
		require.Len(t, found, 1)
		require.Equal(t, cause.Unreachable, found[0].Cause)
	}
}

func TestOptions(t *testing.T) {
	o := Options{Target: ":7051", Timeout: 1}
	require.EqualError(t, o.check("both", "text", 0), `":7051" lacks the host or the port`)
	o.Target = "h:1"
	o.Timeout = 0
	require.EqualError(t, o.check("both", "text", 0), "--timeout must be positive")
	o.Timeout = 1
	require.EqualError(t, o.check("both", "text", -1), "--watch must not be negative")
	require.NoError(t, o.check("tls", "json", 0))
	require.Equal(t, []string{protocolTLS}, o.Protocols)
}
