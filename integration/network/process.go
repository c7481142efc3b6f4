// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// How long a node may take to end by itself before it is killed.
const stopGrace = 10 * time.Second

// process is one started node. A record of it lies in the state directory, so that a later command finds it again.
type process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Start identifies the process together with PID: numbers are reused, moments are not.
	Start   string   `json:"start"`
	Command []string `json:"command"`
	Env     []string `json:"env"`
	Dir     string   `json:"dir"`
	Log     string   `json:"log"`

	// exited is closed when a child of this very process has been reaped; nil for one found by its record.
	exited chan struct{}
}

// gate is a shell's script that waits for a line and then becomes the program, in the same process. When its standard input ends without a
// line, it ends too.
const gate = `read -r line && exec "$@" </dev/null`

// start runs p.Command with its output appended to p.Log, in a new session, so that it outlives the caller
// and its terminal, and records it. The program begins after its record is written: a caller that is killed at any moment leaves nothing
// that runs and that nobody finds.
func (p *process) start(record string) error {
	if err := os.MkdirAll(filepath.Dir(p.Log), 0o755); err != nil {
		return fmt.Errorf("create log directory of %s: %w", p.Name, err)
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log of %s: %w", p.Name, err)
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", gate, p.Name}, p.Command...)...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.Env, p.Dir, log, log
	open, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.PID = cmd.Process.Pid
	exited := make(chan struct{})
	p.exited = exited
	// A child that ended at once still has its start time until it is waited for.
	start, _, err := startTime(p.PID)
	go func() {
		_ = cmd.Wait() // what matters is that it ended; the log says why
		close(exited)
	}()
	if err != nil {
		_ = cmd.Process.Kill()
		return fmt.Errorf("identify %s: %w", p.Name, err)
	}
	p.Start = start
	if err := p.save(record); err != nil {
		_ = cmd.Process.Kill()
		return err
	}
	if _, err := open.Write([]byte("\n")); err != nil {
		return fmt.Errorf("start %s: %w; see %s", p.Name, err, p.Log)
	}
	return open.Close()
}

func (p *process) save(record string) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("record %s: %w", p.Name, err)
	}
	if err := replaceFile(record, data); err != nil {
		return fmt.Errorf("record %s: %w", p.Name, err)
	}
	return nil
}

func loadProcess(record string) (*process, error) {
	data, err := os.ReadFile(record)
	if err != nil {
		return nil, fmt.Errorf("read process record: %w", err)
	}
	p := &process{}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("process record %s is damaged: %w", record, err)
	}
	if p.PID <= 1 || p.Start == "" {
		return nil, fmt.Errorf("process record %s names no process", record)
	}
	return p, nil
}

func (p *process) name() string     { return p.Name }
func (p *process) describe() string { return fmt.Sprintf("process %d", p.PID) }

func (p *process) lastLog(lines int) (text, where string) { return tail(p.Log, lines), p.Log }

// alive reports whether the recorded process, and not a later one with its number, still runs. A zombie does not.
func (p *process) alive() bool {
	if p.exited != nil {
		select {
		case <-p.exited:
			return false
		default:
		}
	}
	start, zombie, err := startTime(p.PID)
	return err == nil && !zombie && start == p.Start
}

// signal sends sig to the process if it still runs.
func (p *process) signal(sig syscall.Signal) error {
	if !p.alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s (process %d): %w", p.Name, p.PID, err)
	}
	return nil
}

// stop ends the process: politely first, by force after grace.
func (p *process) stop(ctx context.Context, grace time.Duration) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if p.awaitEnd(ctx, grace) == nil {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	return p.awaitEnd(ctx, stopGrace)
}

func (p *process) awaitEnd(ctx context.Context, limit time.Duration) error {
	return poll(ctx, limit, p.Name+" to end", func(context.Context) error {
		if p.alive() {
			return fmt.Errorf("process %d still runs", p.PID)
		}
		return nil
	})
}

// startTime reads from /proc when a process began, in clock ticks since boot with the boot's id, and whether it is a
// zombie.
func startTime(pid int) (start string, zombie bool, err error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", false, fmt.Errorf("the native runner needs Linux's /proc: %w", err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false, fmt.Errorf("process %d: %w", pid, err)
	}
	return parseStat(string(bytes.TrimSpace(boot)), string(stat))
}

// parseStat takes the state (field 3) and start time (field 22) from a line of /proc/PID/stat, see proc(5). The command in
// field 2 may hold spaces and parentheses: fields are counted from the last one that closes.
func parseStat(boot, stat string) (start string, zombie bool, err error) {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 20 {
		return "", false, fmt.Errorf("unexpected process status %q", stat)
	}
	state := fields[0]
	return boot + "/" + fields[19], state == "Z" || state == "X", nil
}
