// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
)

func TestMain(m *testing.M) {
	os.Exit(testscript.RunMain(m, map[string]func() int{
		"gmtls": func() int { return Run(os.Args[1:], os.Stdout, os.Stderr) },
	}))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			cases, err := filepath.Abs("../../../../common/crypto/material/testdata/cases")
			env.Setenv("CASES", cases)
			return errors.Join(err, setup(env))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"peer":  startPeer,
			"grant": grant, "serve": serveProcess, "craft": craft,
			"exits": exits, "backlog": fillBacklog, "golden": golden,
			"tap": startTap, "tapped": tapped, "watches": watches,
		},
	})
}

// Every cause of the table is met in a script, and so reachable.
func TestEveryCauseIsMet(t *testing.T) {
	files, err := os.ReadDir("testdata")
	require.NoError(t, err)
	var all strings.Builder
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		text, err := os.ReadFile("testdata/" + f.Name())
		require.NoError(t, err)
		all.Write(text)
	}
	for _, c := range cause.Table {
		require.Contains(t, all.String(), string(c.ID), "no script meets this cause")
	}
}
