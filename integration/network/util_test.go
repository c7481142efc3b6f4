// SPDX-License-Identifier: Apache-2.0

package network

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLastLines: causes stay, also where they are indented, and what says nothing of them goes.
func TestLastLines(t *testing.T) {
	for name, test := range map[string]struct {
		text, want string
		lines      int
	}{
		"the last": {"one\n\ntwo\nthree\n", "two\nthree", 2},
		"colours":  {"\x1b[31mred\x1b[0m\n", "red", 8},
		"what osnadmin prints": {"Status: 405\n{\n\t\"error\": \"channel already exists\"\n}\n",
			"Status: 405\n{\n\t\"error\": \"channel already exists\"\n}", 8},
		"usage after an error": {"Error: no peer\nUsage:\n  peer channel join [flags]\n\nFlags:\n  -h\n", "Error: no peer", 8},
		"a panic": {"panic: cause\n\ngoroutine 12 [running]:\nmain.(*node).work(0x1, {0x2, 0x3})\n\t/src/main.go:7 +0x1d\n" +
			"created by main.main in goroutine 1\n\tgithub.com/x/main.go:3\n", "panic: cause", 8},
		"an error with its stack": {"commit failed\nexample.com/kv.(*ledger).commit\n\texample.com/kv/ledger.go:55\nruntime.goexit\n" +
			"\truntime/asm_amd64.s:1700\nnext\n", "commit failed\nnext", 8},
		"from the middle of a stack": {"\truntime/asm_amd64.s:1700\nnext\n", "next", 8},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, lastLines(test.text, test.lines)) })
	}
}
