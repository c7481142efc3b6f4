// SPDX-License-Identifier: Apache-2.0

package keydtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// Daemon is gmkeyd as a process.
type Daemon struct {
	Socket string
	Config string // file
	Env    []string

	file string
	cmd  *exec.Cmd
	log  lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// NewDaemon writes the configuration, in which SOCKET stands for the socket, into dir, whose path must be short.
func NewDaemon(file, dir, config string, env ...string) (*Daemon, error) {
	d := &Daemon{Socket: filepath.Join(dir, "s"), Config: filepath.Join(dir, "gmkeyd.yaml"), Env: env, file: file}
	if err := d.Configure(config); err != nil {
		return nil, err
	}
	return d, nil
}

// Configure writes a configuration, for the next start.
func (d *Daemon) Configure(config string) error {
	return os.WriteFile(d.Config, []byte(strings.ReplaceAll(config, "SOCKET", d.Socket)), 0o600)
}

// Start starts the process. Clients wait for it by themselves.
func (d *Daemon) Start() error {
	d.cmd = exec.Command(d.file, "serve", "--config", d.Config)
	d.cmd.Env = append(os.Environ(), d.Env...)
	d.cmd.Stderr = &d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return d.cmd.Start()
}

// PID is the number of the process.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Kill ends the process at once, and waits until it has gone.
func (d *Daemon) Kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// Wait waits for the process to end by itself and returns its exit code.
func (d *Daemon) Wait() int {
	var exit *exec.ExitError
	if err := d.cmd.Wait(); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// Stop asks the process to end and returns its exit code.
func (d *Daemon) Stop() int {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	return d.Wait()
}

// Log returns what the process has written so far.
func (d *Daemon) Log() string { return d.log.String() }

// WaitLog waits until the log holds the text.
func (d *Daemon) WaitLog(ctx context.Context, text string) error {
	for !strings.Contains(d.Log(), text) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("gmkeyd's log has no %q:\n%s", text, d.Log())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// Reference makes the reference to a key of this daemon.
func (d *Daemon) Reference(uri string, key *sm2.PrivateKey) (keyd.Reference, error) {
	u, err := keyd.ParseURI(uri)
	return keyd.Reference{URI: u, Socket: d.Socket, Public: &key.PublicKey}, err
}

// Must is the result of a function that may fail, in a test.
func Must[T any](value T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if errors.Is(err, ErrMissing) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// NewKey makes an SM2 key.
func NewKey(t testing.TB) *sm2.PrivateKey {
	t.Helper()
	return Must(sm2.GenerateKey(rand.Reader))(t)
}

// shared is where Main has programs built once for all tests; empty without it.
var shared string

// Main runs the tests of a package that starts many daemons. To be called by TestMain.
func Main(m *testing.M) {
	var err error
	if shared, err = os.MkdirTemp("", "keydtest"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(shared)
	os.Exit(code)
}

var buildMu sync.Mutex

// built builds a program into dir, or once for all tests if there is a place for that.
func built(t testing.TB, dir, name string, build func(dir string) (string, error)) string {
	t.Helper()
	buildMu.Lock()
	defer buildMu.Unlock()
	if shared == "" {
		return Must(build(dir))(t)
	}
	dir = filepath.Join(shared, name)
	file := filepath.Join(dir, "done")
	if text, err := os.ReadFile(file); err == nil {
		return string(text)
	}
	Must(dir, os.MkdirAll(dir, 0o700))(t)
	program := Must(build(dir))(t)
	Must(file, os.WriteFile(file, []byte(program), 0o600))(t)
	return program
}

// Program returns the daemon's file, built if it is not yet.
func Program(t testing.TB, dir string) string {
	t.Helper()
	return built(t, dir, "gmkeyd", BuildDaemon)
}

// Library returns a simulated device's file, built if it is not yet. It skips the test where none can be built.
func Library(t testing.TB, dir, kind string) string {
	t.Helper()
	return built(t, dir, kind, func(dir string) (string, error) { return BuildDevice(dir, kind) })
}

// ShortDir makes a folder for the test, whose path leaves room for a socket's, which has about a hundred bytes at most.
func ShortDir(t testing.TB) string {
	t.Helper()
	dir := Must(os.MkdirTemp("", "keyd"))(t) //nolint:usetesting // the path of t.TempDir is too long
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// SDFDevice is a simulated SDF device with one index, 1, that has a signing and an encryption key, behind a daemon. It is called hsm.
type SDFDevice struct {
	*Daemon
	Folder        *Folder
	Library       string
	Sign, Encrypt *sm2.PrivateKey
}

// PIN is that of every simulated key.
const PIN = "a-secret-PIN"

// StartSDF builds device and daemon and starts it. It skips the test where a device cannot be built.
func StartSDF(t testing.TB) *SDFDevice {
	t.Helper()
	return StartSDFWith(t, NewKey(t), NewKey(t))
}

// StartSDFWith is StartSDF for keys that there are already.
func StartSDFWith(t testing.TB, sign, encrypt *sm2.PrivateKey) *SDFDevice {
	t.Helper()
	d := prepareSDF(t, SDF, sign, encrypt)
	Must(0, d.Start())(t)
	t.Cleanup(d.Kill)
	return d
}

// PrepareSDF does everything but the start.
func PrepareSDF(t testing.TB, kind string) *SDFDevice {
	t.Helper()
	return prepareSDF(t, kind, NewKey(t), NewKey(t))
}

func prepareSDF(t testing.TB, kind string, sign, encrypt *sm2.PrivateKey) *SDFDevice {
	t.Helper()
	dir := ShortDir(t)
	d := &SDFDevice{Sign: sign, Encrypt: encrypt, Library: Library(t, dir, kind)}
	d.Folder = Must(NewFolder(filepath.Join(dir, "device"), "", []Key{
		{Index: 1, Usage: keyd.UsageSign, PIN: PIN, Private: d.Sign}, {Index: 1, Usage: keyd.UsageEncrypt, PIN: PIN, Private: d.Encrypt},
	}))(t)
	t.Cleanup(func() { _ = d.Folder.Close() })
	d.Daemon = Must(NewDaemon(Program(t, dir), dir, d.Standard(), "SIMULATED_DEVICE="+d.Folder.Path, "DEVICE_PIN="+PIN))(t)
	return d
}

// Standard is the configuration that is used if a test writes no other.
func (d *SDFDevice) Standard() string {
	return `
socket: SOCKET
devices:
- name: hsm
  random: true
  sdf:
    library: ` + d.Library + `
    decrypt: with-algorithm
    keys:
    - index: 1
      pin: {environment: DEVICE_PIN}
`
}

// SignReference and EncryptReference are the files that stand for the keys.
func (d *SDFDevice) SignReference(t testing.TB) []byte {
	t.Helper()
	return Must(Must(d.Reference("sdf:device=hsm;index=1;usage=sign", d.Sign))(t).Encode())(t)
}

// EncryptReference is the file that stands for the encryption key.
func (d *SDFDevice) EncryptReference(t testing.TB) []byte {
	t.Helper()
	return Must(Must(d.Reference("sdf:device=hsm;index=1;usage=encrypt", d.Encrypt))(t).Encode())(t)
}
