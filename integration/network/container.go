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
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// inspectInterval is how long an answer of the engine about a container counts as current: asking starts a program.
const inspectInterval = 300 * time.Millisecond

// container is one started node in Docker. A record of it lies in the state directory.
type container struct {
	Name string `json:"name"`
	ID   string `json:"container"`

	mu      sync.Mutex
	asked   time.Time // when the engine last told; guarded by mu
	running bool      // what it told; guarded by mu
}

// loadContainer reads a record; nil without an error means that it is not one of a container.
func loadContainer(record string) (*container, error) {
	data, err := os.ReadFile(record)
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	c := &container{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("record %s is damaged: %w", record, err)
	}
	if c.ID == "" {
		return nil, nil
	}
	return c, nil
}

// adoptContainer finds the container that compose has made for node and records it.
func (n *Network) adoptContainer(ctx context.Context, node Node) error {
	id, err := docker(ctx, nil, "ps", "--all", "--quiet", "--no-trunc",
		"--filter", "label=com.docker.compose.project="+n.project(), "--filter", "label=com.docker.compose.service="+node.Name)
	if err != nil {
		return err
	}
	c := &container{Name: node.Name, ID: id}
	if c.ID == "" {
		return fmt.Errorf("compose has started no container for %s", node.Name)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("record %s: %w", node.Name, err)
	}
	if err := n.write(path.Join("run", node.Name+".json"), data); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.units[node.Name] = c
	return nil
}

func (c *container) name() string     { return c.Name }
func (c *container) describe() string { return "container " + c.ID[:min(12, len(c.ID))] }

func (c *container) lastLog(lines int) (text, where string) {
	ctx, cancel := context.WithTimeout(context.Background(), operationsLimit)
	defer cancel()
	where = "docker logs " + c.ID[:min(12, len(c.ID))]
	out, err := exec.CommandContext(ctx, "docker", "logs", "--tail", strconv.Itoa(10*lines), c.ID).CombinedOutput()
	if err != nil {
		return err.Error(), where
	}
	return lastLines(string(out), lines), where
}

func (c *container) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.asked) < inspectInterval {
		return c.running
	}
	ctx, cancel := context.WithTimeout(context.Background(), operationsLimit)
	defer cancel()
	out, err := docker(ctx, nil, "inspect", "--format", "{{.State.Running}}", c.ID)
	c.asked, c.running = time.Now(), err == nil && out == "true"
	return c.running
}

func (c *container) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = time.Time{}
}

func (c *container) signal(sig syscall.Signal) error {
	return c.do("kill", "--signal", strconv.Itoa(int(sig)), c.ID)
}

func (c *container) restart() error { return c.do("start", c.ID) }

func (c *container) stop(ctx context.Context, grace time.Duration) error {
	defer c.forget()
	_, err := docker(ctx, nil, "stop", "--time", strconv.Itoa(int(grace.Seconds())), c.ID)
	return err
}

func (c *container) do(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	defer c.forget()
	_, err := docker(ctx, nil, args...)
	return err
}

func (c *container) awaitEnd(ctx context.Context, limit time.Duration) error {
	return poll(ctx, limit, c.Name+" to end", func(context.Context) error {
		if c.alive() {
			return errors.New(c.describe() + " still runs")
		}
		return nil
	})
}

// docker runs a command of Docker's and returns what it printed.
func docker(ctx context.Context, stdin []byte, args ...string) (string, error) {
	return execute(ctx, stdin, append([]string{"docker"}, args...)...)
}

func execute(ctx context.Context, stdin []byte, command ...string) (string, error) {
	cmd := boundCommand(ctx, command[0], command[1:]...)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w:\n%s", strings.Join(command[:min(3, len(command))], " "), err, indent(lastLines(stderr.String(), 8)))
	}
	return strings.TrimSpace(stdout.String()), nil
}
