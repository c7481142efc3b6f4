// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of CPU times in /proc, which Linux keeps at this value on all its platforms.
const ticksPerSecond = 100

// Process is a process that is watched.
type Process struct {
	Name string
	PID  int
}

// ProcessUse is what a process used within the window.
type ProcessUse struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// CPUSeconds is user and system time.
	CPUSeconds float64 `json:"cpuSeconds"`
	// RSSMiB is the greatest resident size seen, sampled each second.
	RSSMiB float64 `json:"rssMiB"`
	// PeakMiB is the greatest resident size since the process began, as the kernel keeps it.
	PeakMiB float64 `json:"peakMiB"`
	// Ended is set if the process ended, or was replaced by another, before the window did: its times are then too small.
	Ended bool `json:"ended,omitempty"`
}

// sample is what /proc says about a process.
type sample struct {
	started string // in ticks since boot: with the number it names a process for good
	cpu     float64
	rss     float64
}

// watch samples the processes from one moment to the other.
func watch(ctx context.Context, processes []Process, from, to time.Time) []ProcessUse {
	if !waitUntil(ctx, from) {
		return nil
	}
	first := make([]sample, len(processes))
	uses := make([]ProcessUse, len(processes))
	for i, p := range processes {
		s, err := read(p.PID)
		first[i], uses[i] = s, ProcessUse{Name: p.Name, PID: p.PID, RSSMiB: s.rss, Ended: err != nil}
	}
	for now := from; now.Before(to); {
		if now = now.Add(time.Second); now.After(to) {
			now = to
		}
		if !waitUntil(ctx, now) {
			return nil
		}
		for i := range uses {
			u := &uses[i]
			if u.Ended {
				continue
			}
			s, err := read(u.PID)
			if err != nil || s.started != first[i].started {
				u.Ended = true
				continue
			}
			u.CPUSeconds, u.RSSMiB = s.cpu-first[i].cpu, max(u.RSSMiB, s.rss)
		}
	}
	for i := range uses {
		uses[i].PeakMiB = peak(uses[i].PID)
	}
	return uses
}

// peak reads VmHWM of /proc/PID/status (proc(5)), in MiB; 0 for a process that has ended.
func peak(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	return parsePeak(string(status))
}

func parsePeak(status string) float64 {
	for line := range strings.Lines(status) {
		if number, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(number), "kB")), 64)
			if err == nil {
				return kib / 1024
			}
		}
	}
	return 0
}

func waitUntil(ctx context.Context, at time.Time) bool {
	select {
	case <-time.After(time.Until(at)):
		return true
	case <-ctx.Done():
		return false
	}
}

// read samples a process; one that has ended and was not reaped counts as gone.
func read(pid int) (sample, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return sample{}, err
	}
	s, err := parseStat(string(stat))
	if err != nil {
		return sample{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	return s, nil
}

// parseStat parses a line of /proc/PID/stat (proc(5)): the second field, the command in parentheses, may hold anything.
func parseStat(line string) (sample, error) {
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:]) // the first of these is field 3
	if end < 0 || len(fields) < 22 {
		return sample{}, errors.New("too few fields")
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return sample{}, errors.New("the process has ended")
	}
	user, err1 := strconv.ParseUint(fields[14-3], 10, 64)
	system, err2 := strconv.ParseUint(fields[15-3], 10, 64)
	pages, err3 := strconv.ParseUint(fields[24-3], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return sample{}, err
	}
	return sample{
		started: fields[22-3],
		cpu:     float64(user+system) / ticksPerSecond,
		rss:     float64(pages) * float64(os.Getpagesize()) / (1 << 20),
	}, nil
}

// parseProcesses parses name=pid,name=pid.
func parseProcesses(text string) ([]Process, error) {
	var processes []Process
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		name, number, _ := strings.Cut(part, "=")
		pid, err := strconv.Atoi(number)
		if name == "" || err != nil || pid < 1 {
			return nil, fmt.Errorf("%q is not name=pid", part)
		}
		processes = append(processes, Process{Name: name, PID: pid})
	}
	return processes, nil
}

// CPUTime is the user and system time of a process, of all its threads, since it began.
func CPUTime(pid int) (seconds float64, err error) {
	s, err := read(pid)
	if err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return s.cpu, nil
}
