// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	os.Exit(testscript.RunMain(m, map[string]func() int{
		"gmtls": func() int { return Run(os.Args[1:], os.Stdout, os.Stderr) },
	}))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: func(env *testscript.Env) error { return setup(env) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"peer":  startPeer,
			"grant": grant,
			"exits": exits, "backlog": fillBacklog,
		},
	})
}
