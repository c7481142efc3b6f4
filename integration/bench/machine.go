// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// Machine describes where a report was made, and from which source.
type Machine struct {
	CPUs   int    `json:"cpus"`
	CPU    string `json:"cpu"`
	Memory int    `json:"memoryMiB"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Commit string `json:"commit"`
	// LoadBefore and LoadAfter are the load averages over one minute: other work on the machine shows in the first.
	LoadBefore float64 `json:"loadBefore"`
	LoadAfter  float64 `json:"loadAfter"`
}

// describe reads what Linux says of the machine, and git of the code.
func describe(ctx context.Context) (*Machine, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, fmt.Errorf("describe the machine: %w", err)
	}
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil, fmt.Errorf("describe the machine: %w", err)
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return nil, fmt.Errorf("describe the machine: %w", err)
	}
	kib, _ := strconv.Atoi(strings.TrimSuffix(field(string(memory), "MemTotal"), " kB"))
	commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*").Output()
	if err != nil {
		commit = []byte("unknown") // a source archive has no history
	}
	return &Machine{
		CPUs: runtime.NumCPU(), CPU: field(string(info), "model name"), Memory: kib >> 10,
		Kernel: strings.TrimSpace(string(kernel)), Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Commit: strings.TrimSpace(string(commit)), LoadBefore: loadAverage(),
	}, nil
}

// field finds the first line "name : value" of a file of /proc; without one it is unknown.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// loadAverage is the machine's load over the last minute; 0 if it cannot be read.
func loadAverage() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}

func (m Machine) String() string {
	return fmt.Sprintf("%d × %s, %d MiB of memory, Linux %s, %s, commit %s; load average %.1f before and %.1f after",
		m.CPUs, m.CPU, m.Memory, m.Kernel, m.Go, m.Commit, m.LoadBefore, m.LoadAfter)
}
