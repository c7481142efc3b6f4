// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// probes is more than an address may fail in a burst, with the default of handshakesPerAddress.
const probes = 600

// TestLivenessProbe probes a peer as the kubelet does, and more often than any handshakes of one address may fail: the address is still served,
// and the log has no line of it.
func TestLivenessProbe(t *testing.T) {
	needTools(t)
	dir, values := planned(t, "gm")
	values["version"] = "latest"
	m, err := render(t, values)
	must(t, err)
	pod := m.statefulSets["port-peer0"].Spec.Template.Spec
	c := pod.Containers[0]
	container := start(t, newVolumes(m, makeSecrets(t, dir), pod), "liveness")
	await(t, container, c.ReadinessProbe.Exec.Command)
	address := inside(t, container, c, "grpc")
	awaitPort(t, container, c, "grpc")
	host, _, err := net.SplitHostPort(local(t, address))
	must(t, err)
	before := len(lines(t, container))
	for range probes {
		must(t, connects(address))
	}
	for _, line := range lines(t, container)[before:] {
		if strings.Contains(line, host+":") {
			t.Fatalf("a probe is logged: %s", line)
		}
	}
	if !served(address) {
		t.Error("the address of the probes is refused")
	}
}

// alive is the liveness probe, whatever it is.
func alive(t *testing.T, container string, c corev1.Container) error {
	t.Helper()
	if c.LivenessProbe.Exec != nil {
		return exec.Command("docker", append([]string{"exec", container}, c.LivenessProbe.Exec.Command...)...).Run()
	}
	return connects(inside(t, container, c, c.LivenessProbe.TCPSocket.Port.StrVal))
}

// connects is a probe of a port by the kubelet, which waits a second for the end of the connection.
func connects(address string) error {
	conn, err := net.DialTimeout("tcp", address, 6*time.Second)
	if err != nil {
		return err
	}
	if err := conn.(*net.TCPConn).SetLinger(1); err != nil {
		return err
	}
	return conn.Close()
}

// local is the address from which the container is reached.
func local(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	return conn.LocalAddr().String()
}

// inside is a port of the container at its own address. The engine's proxy, which publishes ports, would accept connections by itself.
func inside(t *testing.T, container string, c corev1.Container, name string) string {
	t.Helper()
	host := output(t, nil, "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)
	for _, port := range c.Ports {
		if port.Name == name {
			return net.JoinHostPort(host, fmt.Sprint(port.ContainerPort))
		}
	}
	t.Fatalf("%s has no port %s", container, name)
	return ""
}

// lines are those of the log, when the container has had the time to write what it was caused to.
func lines(t *testing.T, container string) []string {
	t.Helper()
	time.Sleep(2 * time.Second)
	return strings.Split(output(t, nil, "docker", "logs", container), "\n")
}
