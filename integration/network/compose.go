// SPDX-License-Identifier: Apache-2.0

package network

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Images of the nodes, as make docker builds them.
const imagePrefix = "fabric-gm-"

// imageUser owns the files in the containers; the images run as this user and group.
const imageUser = 10001

const (
	containerRoot = "/network"
	containerData = "/var/hyperledger/production"
)

// containerPlacement says where the images have things.
var containerPlacement = placement{
	Root: containerRoot, Builder: "/opt/hyperledger/ccaas_builder",
	bind: func(Node) string { return "0.0.0.0" },
	data: func(Node) string { return containerData },
}

func imageOf(kind Kind) string {
	if kind == Chaincode {
		return imagePrefix + "asset"
	}
	return imagePrefix + string(kind)
}

// containerView is what the compose template sees of one node.
type containerView struct {
	Node         Node
	Image        string
	Env          []Variable
	ConfigVolume string
	DataVolume   string // empty for a node without a ledger
	DataPath     string
	Ports        []int
}

type composeView struct{ Containers []containerView }

// renderCompose describes the topology to docker-compose 1.29 and Compose v2.
func (n *Network) renderCompose() ([]byte, error) {
	var view composeView
	for node := range n.nodes() {
		c := containerView{Node: *node, Image: imageOf(node.Kind), ConfigVolume: configVolume(*node)}
		for port := range node.PortNames() {
			c.Ports = append(c.Ports, port)
		}
		slices.Sort(c.Ports)
		if node.Kind == Chaincode {
			env, err := n.chaincodeEnv(*node)
			if err != nil {
				return nil, err
			}
			c.Env = env
		} else {
			c.DataVolume, c.DataPath = strings.ReplaceAll(node.Name, ".", "-")+"-data", containerData
			// Compose reads $ as the start of a variable; the format has none.
			c.Env = []Variable{
				{"FABRIC_CFG_PATH", path.Join(containerRoot, "nodes", node.Name)},
				{"FABRIC_LOGGING_SPEC", n.logSpec}, {"FABRIC_LOGGING_FORMAT", logFormat},
			}
		}
		view.Containers = append(view.Containers, c)
	}
	return n.render("compose.yaml.tmpl", view)
}

func configVolume(node Node) string { return strings.ReplaceAll(node.Name, ".", "-") + "-config" }

// project is the name under which compose keeps what belongs to this network. Two networks cannot share their ports, so
// the first port tells them apart.
func (n *Network) project() string { return imagePrefix + strconv.Itoa(n.Ordering.Nodes[0].Port) }

func (n *Network) composeFile() string { return n.path("docker-compose.yaml") }

// startContainers makes the channel's first block and the chaincode packages, gives every node a volume with its own files,
// and starts all containers.
func (n *Network) startContainers(ctx context.Context) (packages map[string]string, err error) {
	if packages, err = n.prepareChannel(ctx); err != nil {
		return nil, err
	}
	compose, err := n.renderCompose()
	if err != nil {
		return nil, err
	}
	if err := n.write("docker-compose.yaml", compose); err != nil {
		return nil, err
	}
	n.say("first block of channel %s, chaincode packages, compose file", n.Channel)
	nodes := n.AllNodes()
	if err := parallel(nodes, func(node Node) error { return n.fillVolume(ctx, node) }); err != nil {
		return nil, err
	}
	n.say("a volume with certificates and configuration for each of %d nodes", len(nodes))
	if _, err := n.compose(ctx, "up", "--detach", "--no-build"); err != nil {
		return nil, err
	}
	for _, node := range nodes {
		if err := n.adoptContainer(ctx, node); err != nil {
			return nil, err
		}
	}
	n.say("started %d containers", len(nodes))
	return packages, nil
}

// fillerLabel marks containers that are there to fill a volume; its value is the project.
const fillerLabel = "fabric-gm.filler"

// fillVolume copies the node's own files into its configuration volume, by way of a container that never starts.
func (n *Network) fillVolume(ctx context.Context, node Node) error {
	archive, err := n.nodeArchive(node)
	if err != nil {
		return err
	}
	volume := n.project() + "_" + configVolume(node)
	// Labelled as compose would, so that "down" removes it.
	_, err = docker(ctx, nil, "volume", "create", "--label", "com.docker.compose.project="+n.project(),
		"--label", "com.docker.compose.volume="+configVolume(node), volume)
	if err != nil {
		return err
	}
	id, err := docker(ctx, nil, "create", "--label", fillerLabel+"="+n.project(), "--volume", volume+":"+containerRoot, imageOf(node.Kind))
	if err != nil {
		return err
	}
	_, err = docker(ctx, archive, "cp", "-", id+":"+containerRoot)
	if _, removeErr := docker(ctx, nil, "rm", id); err == nil {
		err = removeErr
	}
	return err
}

// nodeArchive packs what node may see: its own certificates, keys and configuration.
func (n *Network) nodeArchive(node Node) ([]byte, error) {
	folders := []string{path.Join(n.nodeCrypto(node))}
	if node.Kind != Chaincode {
		folders = append(folders, path.Join("nodes", node.Name))
	}
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	made := map[string]bool{}
	for _, folder := range folders {
		err := filepath.WalkDir(n.path(filepath.FromSlash(folder)), func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			rel, err := filepath.Rel(n.Dir, file)
			if err != nil {
				return err
			}
			return addFile(archive, made, filepath.ToSlash(rel), file)
		})
		if err != nil {
			return nil, fmt.Errorf("pack the files of %s: %w", node.Name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("pack the files of %s: %w", node.Name, err)
	}
	return out.Bytes(), nil
}

// addFile adds a file, and the folders above it that are not there yet, readable by the images' user alone.
func addFile(archive *tar.Writer, made map[string]bool, name, file string) error {
	for i, c := range name {
		if c != '/' || made[name[:i]] {
			continue
		}
		made[name[:i]] = true
		header := &tar.Header{Typeflag: tar.TypeDir, Name: name[:i] + "/", Mode: 0o500, Uid: imageUser, Gid: imageUser}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: 0o400, Size: int64(len(data)), Uid: imageUser, Gid: imageUser}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = archive.Write(data)
	return err
}

// checkDocker fails when there is no engine, no compose command or an image is missing.
func (n *Network) checkDocker() error {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	if _, err := docker(ctx, nil, "version", "--format", "{{.Server.Version}}"); err != nil {
		return fmt.Errorf("no Docker engine answers: %w", err)
	}
	if _, err := composeCommand(); err != nil {
		return err
	}
	for _, kind := range []Kind{Orderer, Peer, Chaincode} {
		if _, err := docker(ctx, nil, "image", "inspect", "--format", "{{.Id}}", imageOf(kind)); err != nil {
			return fmt.Errorf("image %s is missing; build it with make docker", imageOf(kind))
		}
	}
	return nil
}

// composeDown removes containers, volumes and the network of a compose project, if there is one.
func (n *Network) composeDown(ctx context.Context) error {
	data, err := os.ReadFile(filepath.Join(n.Dir, stateFile))
	if err != nil {
		return fmt.Errorf("read the state of the network: %w", err)
	}
	s, err := parseState(data)
	if err != nil || !s.Docker {
		return err
	}
	n.Topology, n.docker = s.Topology, true
	if _, err := os.Stat(n.composeFile()); err != nil {
		return nil // it did not come to that
	}
	// A container that an interrupted start has left keeps its volume.
	fillers, err := docker(ctx, nil, "ps", "--all", "--quiet", "--filter", "label="+fillerLabel+"="+n.project())
	if err != nil {
		return err
	}
	if fillers != "" {
		if _, err := docker(ctx, nil, append([]string{"rm"}, strings.Fields(fillers)...)...); err != nil {
			return err
		}
	}
	_, err = n.compose(ctx, "down", "--volumes", "--timeout", strconv.Itoa(int(stopGrace.Seconds())))
	return err
}

// compose runs a command on this network's project.
func (n *Network) compose(ctx context.Context, args ...string) (string, error) {
	command, err := composeCommand()
	if err != nil {
		return "", err
	}
	command = append(command, "--project-name", n.project(), "--file", n.composeFile())
	return execute(ctx, nil, append(command, args...)...)
}

// composeCommand prefers the older program, since it is the one that has no newer form in disguise.
func composeCommand() ([]string, error) {
	if _, err := exec.LookPath("docker-compose"); err == nil {
		return []string{"docker-compose"}, nil
	}
	if exec.Command("docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}, nil
	}
	return nil, fmt.Errorf("neither docker-compose nor docker compose is installed")
}
