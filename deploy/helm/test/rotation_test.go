// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRotation renews the certificates of a running pod with the commands of the guide: they are issued again, secrets.sh makes another Secret of
// them, the kubelet turns the link, and an operator has the node reload. The process stays the same.
func TestRotation(t *testing.T) {
	needTools(t)
	dir, values := planned(t, "gm")
	secrets := makeSecrets(t, dir)
	admin := t.TempDir() // with the certificates of now: a node knows its operators by these
	must(t, os.CopyFS(admin, os.DirFS(filepath.Join(dir, "port1/admin.port.example"))))
	printed := output(t, nil, "openssl", "x509", "-in", filepath.Join(admin, "tls/server-sign.crt"), "-noout", "-fingerprint", "-sha256")
	_, fingerprint, _ := strings.Cut(printed, "=")
	peer := values["peers"].(map[string]any)["peer0"].(map[string]any)
	config := peer["config"].(string)
	peer["config"] = strings.Replace(config, "operators: []", `operators: ["`+fingerprint+`"]`, 1)
	if peer["config"] == config {
		t.Fatal("the configuration has no list of operators")
	}
	values["version"] = "latest"
	m, err := render(t, values)
	must(t, err)
	pod := m.statefulSets["port-peer0"].Spec.Template.Spec
	v := newVolumes(m, secrets, pod)
	container := start(t, v, "rotated")
	await(t, container, pod.Containers[0].ReadinessProbe.Exec.Command)
	operations := published(t, container, pod.Containers[0], "operations")
	tls := filepath.Join(dir, "port1/peer0.port.example/tls")
	first := serial(t, filepath.Join(tls, "server-sign.crt"))
	if !presents(t, operations, first) {
		t.Fatal("it does not show its certificate")
	}

	certificates := filepath.Join(dir, "certificates")
	for _, args := range [][]string{
		{filepath.Join(dir, "ca/issue.sh"), "port1", filepath.Join(dir, "port1/requests"), certificates}, {filepath.Join(dir, "port1/install.sh"), certificates}, {filepath.Join(dir, "port1/secrets.sh")},
	} {
		output(t, nil, "sh", args...)
	}
	v.secrets = readSecrets(t, dir)
	second := serial(t, filepath.Join(tls, "server-sign.crt"))
	if first == second {
		t.Fatal("no other certificate was issued")
	}
	started := output(t, nil, "docker", "inspect", "--format", "{{.State.StartedAt}} {{.RestartCount}}", container)
	v.update(t, "folder")
	if !presents(t, operations, first) {
		t.Error("the new certificate is there before the reload")
	}
	reload(t, admin, operations)
	if !presents(t, operations, second) || !presents(t, published(t, container, pod.Containers[0], "grpc"), second) {
		t.Error("the new certificate is not shown after the reload")
	}
	if now := output(t, nil, "docker", "inspect", "--format", "{{.State.StartedAt}} {{.RestartCount}}", container); now != started {
		t.Errorf("it was restarted: %s, %s", started, now)
	}
	await(t, container, pod.Containers[0].ReadinessProbe.Exec.Command)
}

func serial(t *testing.T, file string) string {
	t.Helper()
	_, number, _ := strings.Cut(output(t, nil, "openssl", "x509", "-in", file, "-noout", "-serial"), "=")
	return strings.ToLower(strings.TrimLeft(number, "0"))
}

// presents reports whether a server shows the certificate with a serial number.
func presents(t *testing.T, address, number string) bool {
	t.Helper()
	out, err := exec.Command(gmtls, "probe", address, "--quick", "--protocol", "tlcp", "--output", "json").CombinedOutput()
	shown := strings.ToLower(string(out))
	if !strings.Contains(shown, `"certificates"`) {
		t.Fatalf("%s shows no certificates: %v: %s", address, err, out)
	}
	return strings.Contains(strings.ReplaceAll(shown, ":", ""), number)
}

// reload asks the operations service through the proxy, as the guide says.
func reload(t *testing.T, admin, operations string) {
	t.Helper()
	tls := filepath.Join(admin, "tls/server")
	proxy := exec.Command(gmtls, "proxy", "--listen", "127.0.0.1:0", "--from", "plain", "--to", operations, "--ca", filepath.Join(admin, "msp/tlscacerts/gm-ca.crt"),
		"--cert", tls+"-sign.crt", "--key", tls+"-sign.key", "--enc-cert", tls+"-enc.crt", "--enc-key", tls+"-enc.key")
	log, err := proxy.StderrPipe()
	must(t, err)
	must(t, proxy.Start())
	defer func() {
		_ = proxy.Process.Signal(os.Interrupt)
		_ = proxy.Wait()
	}()
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	listening := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if found := address.FindString(lines.Text()); found != "" {
				select {
				case listening <- found:
				default:
				}
			}
		}
	}()
	select {
	case to := <-listening:
		answer, err := http.Post("http://"+to+"/tls", "application/json", nil)
		must(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", answer.Status, body)
		}
	case <-time.After(limit):
		t.Fatal("the proxy does not listen")
	}
}
