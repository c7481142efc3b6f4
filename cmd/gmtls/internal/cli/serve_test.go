// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var listening = regexp.MustCompile(`(?:msg=listening address=|"msg":"listening","address":")([^\s"]+)`)

// serveProcess starts a server: "serve NAME gmtls ARGS...", waits for the line
// that tells its address and sets ADDR. When the script ends it is asked to stop.
func serveProcess(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	stderr, err := cmd.StderrPipe()
	check(ts, err)
	check(ts, cmd.Start())
	guard := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	ts.Defer(func() {
		defer guard.Stop()
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			ts.Logf("%s: %v", args[0], err)
		}
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			ts.Setenv("ADDR", m[1])
			_, port, err := net.SplitHostPort(m[1])
			check(ts, err)
			ts.Setenv("PORT", port)
			go io.Copy(io.Discard, stderr) // ends with the process
			return
		}
	}
	ts.Fatalf("%s: the server ended before it listened", args[0])
}
