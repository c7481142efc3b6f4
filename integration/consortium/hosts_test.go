// SPDX-License-Identifier: Apache-2.0

//go:build integration && linux

package consortium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	bridge        = "fabric-gm"
	bridgeAddress = "10.77.255.254/16"
	stopLimit     = 30 * time.Second
)

// host is a machine of the guide: a network namespace with a separate address, and a mount namespace with separate /etc, /var, /opt
// and /usr/local/bin.
type host struct {
	name, org, domain, address string

	ownNetwork bool // without it, it is in the network of this machine
	engine     bool // its nodes are containers of this machine's Docker engine

	dir    string // what its folders are, as this process sees it
	work   string // the folder in which its administrator works
	holder *exec.Cmd
	env    []string
}

// systemctl stands for systemd: it runs units as their files say, user, environment, umask and command at least.
const systemctl = `#!/bin/sh
set -eu
# A service gets nothing of the caller's environment.
[ -n "${clean-}" ] || exec env -i clean=1 PATH="$PATH" "$0" "$@"
now=
# The lines of a unit, and of what changes it, with a key.
lines() { cat "/etc/systemd/system/$1.service" "/etc/systemd/system/$1.service.d"/*.conf 2>/dev/null | sed -n "s/^$2=//p"; }
# What makes a command the user's, where the host has users.
as() {
    user=$(lines "$1" User)
    if id "$user" >/dev/null 2>&1; then
        echo setpriv --reuid "$user" --regid "$user" --groups "$user$(lines "$1" SupplementaryGroups | sed 's/^/,/')" --no-new-privs --bounding-set=-all
    fi
}
start() {
    unit=/etc/systemd/system/$1.service
    [ -f "$unit" ] || { echo "no unit $1" >&2; exit 5; }
    if alive "$1"; then return; fi
    (
        for file in $(lines "$1" EnvironmentFile); do
            while IFS= read -r line; do case $line in ''|'#'*) ;; *) export "$line" ;; esac; done <"$file"
        done
        for setting in $(lines "$1" Environment); do export "$setting"; done
        umask "$(lines "$1" UMask)"
        cd /
        exec setsid $(as "$1") $(lines "$1" ExecStart) >>/var/log/"$1.log" 2>&1 </dev/null
    ) &
    echo $! >/var/units/"$1"
    # Type=exec: the program runs. It does not serve yet.
    sleep 0.5
    alive "$1" || { tail -5 /var/log/"$1.log" >&2; exit 1; }
}
alive() { [ -s /var/units/"$1" ] && kill -0 "$(cat /var/units/"$1")" 2>/dev/null; }
stop() {
    alive "$1" || return 0
    kill "$(cat /var/units/"$1")"
    for try in $(seq 300); do alive "$1" || return 0; sleep 0.1; done
    echo "$1 does not stop" >&2
    exit 1
}
verb=$1
shift
if [ "${1-}" = --now ]; then now=1; shift; fi
for unit in "$@"; do
    case $verb$now in
    start|enable1) start "$unit" ;;
    stop|disable1) stop "$unit" ;;
    restart) stop "$unit"; start "$unit" ;;
    *) echo "systemctl $verb is not known here" >&2; exit 2 ;;
    esac
done
`

// prepare makes what all hosts share: the kits, the folder public, and commands that would change users of this machine.
func prepare(t *testing.T, shared string, commands map[string]string) {
	t.Helper()
	for _, dir := range []string{"sbin", "public", "ccaas", "modules", "tmp"} {
		require.NoError(t, os.MkdirAll(filepath.Join(shared, dir), 0o755))
	}
	require.NoError(t, os.CopyFS(filepath.Join(shared, "ccaas"), os.DirFS("../../build/bin/ccaas")))
	require.DirExists(t, kits, "make kits")
	for name, script := range commands {
		require.NoError(t, os.WriteFile(filepath.Join(shared, "sbin", name), []byte(script), 0o755))
	}
}

// kits are those of a clone, which a release has in /opt/fabric-gm.
const kits = "../../build/kits"

// programs gives a host the programs of /usr/local/bin. They are links: a new one takes a link's place.
func programs(t *testing.T, dir string) {
	t.Helper()
	for _, from := range []string{"../../build/bin", "../../build/bin-ca-1.5.21"} {
		entries, err := os.ReadDir(from)
		require.NoError(t, err, "make build network-tools ca")
		for _, entry := range entries {
			if entry.IsDir() {
				continue
			}
			file, err := filepath.Abs(filepath.Join(from, entry.Name()))
			require.NoError(t, err)
			link := filepath.Join(dir, entry.Name())
			if _, err := os.Lstat(link); err != nil { // gmtls is built with either
				require.NoError(t, os.Symlink(file, link))
			}
		}
	}
}

// newHost makes a host, and connects it to the bridge if it has a separate network.
func newHost(ctx context.Context, t *testing.T, shared string, h *host) {
	t.Helper()
	h.dir = t.TempDir()
	h.work = filepath.Join(h.dir, "work")
	for _, dir := range []string{"work", "bin", "etc", "var/units", "var/log", "var/tmp", "var/hyperledger", "opt/hyperledger"} {
		require.NoError(t, os.MkdirAll(filepath.Join(h.dir, dir), 0o755))
	}
	require.NoError(t, os.Symlink("/run", filepath.Join(h.dir, "var/run")))
	require.NoError(t, os.Symlink(filepath.Join(shared, "public"), filepath.Join(h.work, "public")))
	programs(t, filepath.Join(h.dir, "bin"))
	// What a user may not read of /etc is not needed.
	_ = exec.CommandContext(ctx, "cp", "-a", "/etc/.", filepath.Join(h.dir, "etc")).Run()
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "etc/fabric")))
	for _, dir := range []string{"etc/fabric", "etc/systemd/system", "opt/hyperledger/ccaas_builder", "opt/fabric-gm/kits"} {
		require.NoError(t, os.MkdirAll(filepath.Join(h.dir, dir), 0o755))
	}
	h.setEnvironment(ctx, t, shared)
	hold := []string{"unshare", "--mount", "sleep", "infinity"}
	if h.ownNetwork {
		h.connect(ctx, t)
		hold = append([]string{"nsenter", "--net=/run/netns/" + h.name}, hold...)
	}
	h.holder = exec.Command(hold[0], hold[1:]...)
	require.NoError(t, h.holder.Start())
	t.Cleanup(func() {
		h.kill(t)
		require.NoError(t, h.holder.Process.Kill())
		_ = h.holder.Wait()
	})
	// nsenter and unshare become the program one after the other.
	require.Eventually(t, func() bool {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", h.holder.Process.Pid))
		return err == nil && strings.TrimSpace(string(name)) == "sleep"
	}, stopLimit, 10*time.Millisecond)
	absolute, err := filepath.Abs(kits)
	require.NoError(t, err)
	for _, mount := range [][2]string{
		{h.dir + "/etc", "/etc"}, {h.dir + "/var", "/var"}, {h.dir + "/opt", "/opt"},
		{shared + "/ccaas", "/opt/hyperledger/ccaas_builder"}, {absolute, "/opt/fabric-gm/kits"}, {h.dir + "/bin", "/usr/local/bin"},
	} {
		out, err := exec.CommandContext(ctx, "nsenter", "--mount", "--target", strconv.Itoa(h.holder.Process.Pid), "mount", "--bind", mount[0], mount[1]).CombinedOutput()
		require.NoError(t, err, "%v: %s", mount, out)
	}
}

// setEnvironment says what the administrator's shell has. Go keeps what it has compiled where this machine's does, as it is the same.
func (h *host) setEnvironment(ctx context.Context, t *testing.T, shared string) {
	t.Helper()
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOCACHE").Output()
	require.NoError(t, err)
	golang := strings.Fields(string(out))
	require.Len(t, golang, 2)
	h.env = []string{
		"PATH=" + filepath.Join(shared, "sbin") + ":/usr/local/bin:" + filepath.Join(golang[0], "bin") + ":/usr/sbin:/usr/bin:/sbin:/bin",
		"GOCACHE=" + golang[1], "GOMODCACHE=" + filepath.Join(shared, "modules"), "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local",
		"HOME=" + h.work, "ORG=" + h.org, "DOMAIN=" + h.domain, "HOST=" + h.name,
	}
}

func (h *host) connect(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, command := range []string{
		"netns add " + h.name,
		"link add " + h.name + " type veth peer name eth0 netns " + h.name,
		"link set " + h.name + " master " + bridge + " up",
		"-n " + h.name + " addr add " + h.address + "/16 dev eth0",
		"-n " + h.name + " link set lo up",
		"-n " + h.name + " link set eth0 up",
	} {
		ip(ctx, t, command)
	}
}

func ip(ctx context.Context, t *testing.T, command string) {
	t.Helper()
	out, err := exec.CommandContext(ctx, "ip", strings.Fields(command)...).CombinedOutput()
	require.NoError(t, err, "ip %s: %s", command, out)
}

// command is a script of the host's administrator.
func (h *host) command(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", "--mount", "--net", "--target", strconv.Itoa(h.holder.Process.Pid), "sh", "-eu", "-c", "cd "+h.work+"\n"+script)
	cmd.Env = h.env
	return cmd
}

// try runs a script as the administrator of the host.
func (h *host) try(ctx context.Context, script string) (string, error) {
	cmd := h.command(ctx, script)
	cmd.WaitDelay = time.Second // services keep nothing open, but what the CA prints
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return out.String(), err
}

func (h *host) run(ctx context.Context, t *testing.T, script string) string {
	t.Helper()
	out, err := h.try(ctx, script)
	h.require(t, script, out, err)
	return out
}

// require stops the test, with the ends of the host's logs, where a script has failed.
func (h *host) require(t *testing.T, script, out string, err error) {
	t.Helper()
	if err != nil {
		logs, _ := filepath.Glob(filepath.Join(h.dir, "var/log/*.example.log"))
		for _, log := range logs {
			tail, _ := exec.Command("tail", "-n", "15", log).CombinedOutput()
			t.Logf("end of %s on %s:\n%s", filepath.Base(log), h.name, tail)
		}
	}
	require.NoError(t, err, "on %s:\n%s\nprinted:\n%s", h.name, script, out)
}

// kill ends everything on the host as a loss of power would. What belongs to it is told by its mounts.
func (h *host) kill(t *testing.T) {
	t.Helper()
	pid := h.holder.Process.Pid
	mine, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	require.NoError(t, err)
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, process := range processes {
		other, err := strconv.Atoi(filepath.Base(process))
		require.NoError(t, err)
		if namespace, err := os.Readlink(process + "/ns/mnt"); err == nil && namespace == mine && other != pid {
			_ = syscall.Kill(other, syscall.SIGKILL)
		}
	}
}

// lose takes the host away, and find brings it back, without its processes.
func (h *host) lose(ctx context.Context, t *testing.T) {
	t.Helper()
	if h.engine {
		h.run(ctx, t, "cd /etc/fabric && docker compose kill && docker compose down")
		return
	}
	ip(ctx, t, "link set "+h.name+" nomaster")
	h.kill(t)
}

func (h *host) find(ctx context.Context, t *testing.T) {
	t.Helper()
	if h.ownNetwork {
		ip(ctx, t, "link set "+h.name+" master "+bridge)
	}
}
