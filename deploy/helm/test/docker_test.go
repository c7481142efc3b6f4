// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const (
	limit = 2 * time.Minute
	gmtls = "../../../build/bin/gmtls"
	// caConfig is what an organisation writes for its CA, with a password as bad as one in a test may be.
	caConfig = `port: 7054
tls: {enabled: true, mode: gm}
csr: {cn: ca.port.example, hosts: [ca.port.example, localhost], keyrequest: {algo: sm2, size: 256}}
signing: {default: {usage: [digital signature], expiry: 8760h}}
registry: {maxenrollments: -1, identities: [{name: registrar, pass: test, type: client, affiliation: "", attrs: {hf.Registrar.Roles: "*"}}]}
db: {type: sqlite3, datasource: fabric-ca-server.db}
`
)

// needTools skips a test where something is missing that it runs.
func needTools(t *testing.T) {
	t.Helper()
	for _, tool := range [][]string{{"docker", "version"}, {"kubectl", "version", "--client"}, {"openssl", "version"}} {
		if !runs(tool[0], tool[1:]...) {
			t.Skipf("%v does not answer", tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("files of volumes belong to the group of the pod, which only root can give them to")
	}
}

// TestContainers runs every pod's container in Docker by its manifest: image, arguments, environment, user, read-only root, mounts
// with the files of the rendered Secret and of the Secret that secrets.sh makes; and its probes in it, until they succeed.
func TestContainers(t *testing.T) {
	needTools(t)
	dir, values := planned(t, "gm")
	secrets := makeSecrets(t, dir)
	values["version"] = "latest"
	values["chaincodes"].(map[string]any)["ledger"].(map[string]any)["health"] = []any{"/usr/local/bin/asset", "-health"}
	values["ca"] = map[string]any{"enabled": true, "image": "fabric-gm-ca", "config": caConfig}
	m, err := render(t, values)
	must(t, err)
	for name, pod := range m.pods() {
		t.Run(name, func(t *testing.T) {
			container := start(t, newVolumes(m, secrets, pod.Spec), name)
			c := pod.Spec.Containers[0]
			for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
				switch {
				case probe != nil && probe.Exec != nil:
					await(t, container, probe.Exec.Command)
				case probe != nil:
					awaitPort(t, container, c, probe.TCPSocket.Port.StrVal)
				}
			}
			if c.ReadinessProbe == nil {
				t.Error("it has no readiness probe")
			}
		})
	}
}

func await(t *testing.T, container string, command []string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		out, err := exec.Command("docker", append([]string{"exec", container}, command...)...).CombinedOutput()
		if err == nil {
			return
		}
		if output(t, nil, "docker", "inspect", "--format", "{{.State.Running}}", container) != "true" {
			deadline = time.Now().Add(-1) // it has ended
		}
		if time.Now().After(deadline) {
			logs, _ := exec.Command("docker", "logs", "--tail", "20", container).CombinedOutput()
			t.Fatalf("%v: %v: %s\n%s", command, err, out, logs)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// makeSecrets makes certificates, and has secrets.sh make Secrets of them, with kubectl's own code but no cluster.
func makeSecrets(t *testing.T, dir string) map[string]*corev1.Secret {
	t.Helper()
	host, applied := filepath.Join(dir, "port1"), filepath.Join(dir, "applied.yaml")
	for _, script := range []string{"request.sh", "install.sh", "secrets.sh"} {
		file := filepath.Join(host, script)
		text, err := os.ReadFile(file)
		must(t, err)
		changed := strings.NewReplacer("/etc/fabric", host, "kubectl apply -f -", "{ echo ---; cat; } >>"+applied).Replace(string(text))
		must(t, os.WriteFile(file, []byte(changed), 0o600))
	}
	certificates := filepath.Join(dir, "certificates")
	for _, args := range [][]string{
		{filepath.Join(dir, "ca/create.sh")}, {filepath.Join(host, "request.sh")}, {filepath.Join(dir, "ca/issue.sh"), "port1", filepath.Join(host, "requests"), certificates},
		{filepath.Join(host, "install.sh"), certificates}, {filepath.Join(host, "secrets.sh")},
	} {
		output(t, nil, "sh", args...)
	}
	return readSecrets(t, dir)
}

// readSecrets reads what kubectl was given, the last of each name.
func readSecrets(t *testing.T, dir string) map[string]*corev1.Secret {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "applied.yaml"))
	must(t, err)
	secrets := map[string]*corev1.Secret{}
	for _, doc := range strings.Split(string(text), "---\n") {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		secret := new(corev1.Secret)
		must(t, yaml.UnmarshalStrict([]byte(doc), secret))
		secrets[secret.Name] = secret
	}
	return secrets
}

// start runs the first container of a pod, and startContainer any of them, as the kubelet would, as far as Docker can. Ports are published on
// loopback, as port-forward does.
func start(t *testing.T, v *volumes, name string) string {
	t.Helper()
	return startContainer(t, v, name, v.pod.Containers[0])
}

func startContainer(t *testing.T, v *volumes, name string, c corev1.Container) string {
	t.Helper()
	pod, container := v.pod, fmt.Sprintf("fabric-gm-helm-%s-%d", name, os.Getpid())
	args := []string{
		"run", "--detach", "--name", container, "--user", fmt.Sprintf("%d:%d", *pod.SecurityContext.RunAsUser, *pod.SecurityContext.RunAsGroup),
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges:true",
	}
	if *c.SecurityContext.ReadOnlyRootFilesystem {
		args = append(args, "--read-only")
	}
	for _, alias := range pod.HostAliases {
		for _, host := range alias.Hostnames {
			args = append(args, "--add-host", host+":127.0.0.1")
		}
	}
	for _, env := range c.Env {
		args = append(args, "--env", env.Name+"="+env.Value)
	}
	for _, port := range c.Ports {
		args = append(args, "--publish", fmt.Sprintf("127.0.0.1::%d", port.ContainerPort))
	}
	for _, mount := range c.VolumeMounts {
		option := filepath.Join(v.folder(t, mount.Name), mount.SubPath) + ":" + mount.MountPath
		if mount.ReadOnly {
			option += ":ro"
		}
		args = append(args, "--volume", option)
	}
	command := c.Args
	if len(c.Command) > 0 {
		args, command = append(args, "--entrypoint", c.Command[0]), append(slices.Clone(c.Command[1:]), c.Args...)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", container).Run() })
	output(t, nil, "docker", append(append(args, c.Image), command...)...)
	return container
}

// published is where a port of the container is reached from here.
func published(t *testing.T, container string, c corev1.Container, name string) string {
	t.Helper()
	for _, port := range c.Ports {
		if port.Name == name {
			return output(t, nil, "docker", "port", container, fmt.Sprint(port.ContainerPort))
		}
	}
	t.Fatalf("%s has no port %s", container, name)
	return ""
}

// served reports whether a listener begins a handshake with this machine. Nobody here has a client's certificate, with which to end one.
func served(address string) bool {
	out, _ := exec.Command(gmtls, "probe", address, "--quick", "--protocol", "tlcp", "--output", "json").Output()
	return strings.Contains(string(out), `"certificates"`)
}

// awaitPort waits for an answer in TLCP, which the engine's proxy does not give by itself.
func awaitPort(t *testing.T, container string, c corev1.Container, name string) {
	t.Helper()
	address := published(t, container, c, name)
	for deadline := time.Now().Add(limit); !served(address); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			logs, _ := exec.Command("docker", "logs", "--tail", "20", container).CombinedOutput()
			t.Fatalf("%s does not answer:\n%s", address, logs)
		}
	}
}
