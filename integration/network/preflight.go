// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// minFreeBytes is the disk space below which a network is not started: ledgers, write-ahead logs (64 MB a consenter)
// and logs of a short life.
const minFreeBytes = 1 << 30

// maxNamed is how many busy ports an error names.
const maxNamed = 5

// tools are the binaries that bringing up a network needs.
var tools = []string{"peer", "orderer", "cryptogen", "configtxgen", "osnadmin", "asset"}

// builderSteps are the programs of the external builder that every peer calls for chaincode as a service.
var builderSteps = []string{"detect", "build", "release"}

// preflight checks, before anything is created, all that can be known to go wrong.
func (n *Network) preflight() error {
	checks := []func() error{n.checkLeftover, n.checkTools, func() error { return checkDisk(n.Dir, minFreeBytes) }, n.checkPorts}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) checkLeftover() error {
	if _, err := os.Stat(n.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	old, err := Open(n.Dir)
	if err != nil {
		return fmt.Errorf("%s exists and is in the way; remove it with make network-down, or by hand", n.Dir)
	}
	var alive []string
	for name, u := range old.units {
		if u.alive() {
			alive = append(alive, name)
		}
	}
	slices.Sort(alive)
	if len(alive) == 0 {
		return fmt.Errorf("%s holds a network that no longer runs: start it again with %s -dir %s start, or remove it with make network-down", n.Dir, filepath.Join(n.Bin, "network"), n.Dir)
	}
	return fmt.Errorf("a network already runs from %s (%s); stop it with make network-down", n.Dir, strings.Join(alive, ", "))
}

func (n *Network) checkTools() error {
	if n.docker {
		return errors.Join(n.checkDocker(), missingPrograms(n.caTools()))
	}
	files := n.caTools()
	for _, tool := range tools {
		files = append(files, filepath.Join(n.Bin, tool))
	}
	for _, step := range builderSteps {
		files = append(files, filepath.Join(n.builder(), "bin", step))
	}
	return missingPrograms(files)
}

func missingPrograms(files []string) error {
	var missing []string
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			missing = append(missing, file)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing programs: %s; build them with make build, those of the authority with make ca", strings.Join(missing, ", "))
	}
	return nil
}

// builder is the folder of the external builder for chaincode as a service.
func (n *Network) builder() string { return filepath.Join(n.Bin, "ccaas") }

// checkDisk fails when the file system that dir is or will be on has less than need bytes for an ordinary user.
func checkDisk(dir string, need uint64) error {
	for {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < need {
		return fmt.Errorf("%s has %d MB free and a network wants %d MB: make room, or choose another place with DIR=", dir, free>>20, need>>20)
	}
	return nil
}

// checkPorts tries every port that the nodes will bind, or containers publish.
func (n *Network) checkPorts() error {
	var busy []string
	try := func(port int, owner, name string) {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			busy = append(busy, fmt.Sprintf("%d (%s, %s)", port, owner, name))
			return
		}
		l.Close()
	}
	for node := range n.nodes() {
		for port, name := range node.PortNames() {
			try(port, node.Name, name)
		}
	}
	for _, org := range append([]Org{n.Ordering}, n.Peers...) {
		if org.CAPort != 0 {
			try(org.CAPort, caOf(org), "authority")
			try(org.CAPort+caOperationsPort-caPort, caOf(org), "operations")
		}
	}
	if len(busy) == 0 {
		return nil
	}
	slices.Sort(busy)
	if more := len(busy) - maxNamed; more > 0 {
		busy = append(busy[:maxNamed], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("ports in use by other programs: %s; see who with ss -ltnp, or choose others with BASE_PORT=", strings.Join(busy, ", "))
}
