// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const limit = 2 * time.Minute

// TestContainers runs every pod's container in Docker by its manifest: image, arguments, environment, user, read-only root, mounts
// with the files of the rendered ConfigMap and of the Secret that secrets.sh makes; and its probes in it, until they succeed.
func TestContainers(t *testing.T) {
	for _, tool := range [][]string{{"docker", "version"}, {"kubectl", "version", "--client"}, {"openssl", "version"}} {
		if !runs(tool[0], tool[1:]...) {
			t.Skipf("%v does not answer", tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("files of volumes belong to the group of the pod, which only root can give them to")
	}
	dir, values := planned(t, "gm")
	secrets := makeSecrets(t, dir)
	values["version"] = "latest"
	values["chaincodes"].(map[string]any)["ledger"].(map[string]any)["health"] = []any{"/usr/local/bin/asset", "-health"}
	m, err := render(t, values)
	must(t, err)
	for name, pod := range m.pods() {
		t.Run(name, func(t *testing.T) {
			container := start(t, m, secrets, name, pod.Spec)
			c := pod.Spec.Containers[0]
			for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
				if probe != nil {
					await(t, container, probe.Exec.Command)
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
		{filepath.Join(dir, "ca/create.sh")}, {filepath.Join(host, "request.sh")}, {filepath.Join(dir, "ca/issue.sh"), filepath.Join(host, "requests"), certificates},
		{filepath.Join(host, "install.sh"), certificates}, {filepath.Join(host, "secrets.sh")},
	} {
		output(t, nil, "sh", args...)
	}
	text, err := os.ReadFile(applied)
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

// start runs the first container of a pod as the kubelet would, as far as Docker can.
func start(t *testing.T, m *manifests, secrets map[string]*corev1.Secret, name string, pod corev1.PodSpec) string {
	t.Helper()
	c, container := pod.Containers[0], fmt.Sprintf("fabric-gm-helm-%s-%d", name, os.Getpid())
	user := *pod.SecurityContext.RunAsUser
	args := []string{"run", "--detach", "--name", container, "--user", fmt.Sprintf("%d:%d", user, *pod.SecurityContext.RunAsGroup), "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"}
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
	for _, mount := range c.VolumeMounts {
		source := volume(t, m, secrets, pod, mount.Name, int(user))
		option := source + ":" + mount.MountPath
		if mount.ReadOnly {
			option += ":ro"
		}
		args = append(args, "--volume", option)
	}
	if len(c.Command) > 0 {
		t.Fatalf("%s: it has a command, which this test does not know", name)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", container).Run() })
	output(t, nil, "docker", append(append(args, c.Image), c.Args...)...)
	return container
}

// volume makes the folder that a volume is.
func volume(t *testing.T, m *manifests, secrets map[string]*corev1.Secret, pod corev1.PodSpec, name string, user int) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chown(dir, user, user))
	for _, v := range pod.Volumes {
		if v.Name != name || v.Projected == nil {
			continue
		}
		write := func(path string, data []byte) {
			file := filepath.Join(dir, path)
			must(t, os.MkdirAll(filepath.Dir(file), 0o755))
			must(t, os.WriteFile(file, data, os.FileMode(*v.Projected.DefaultMode)))
			must(t, os.Chmod(file, os.FileMode(*v.Projected.DefaultMode)))
			must(t, os.Chown(file, 0, int(*pod.SecurityContext.FSGroup)))
		}
		for _, source := range v.Projected.Sources {
			if source.ConfigMap != nil {
				for key, text := range m.configMaps[source.ConfigMap.Name].Data {
					write(key, []byte(text))
				}
			}
			if source.Secret == nil {
				continue
			}
			secret := secrets[source.Secret.Name]
			if secret == nil {
				t.Fatalf("secrets.sh makes no Secret %s", source.Secret.Name)
			}
			for _, item := range source.Secret.Items {
				data, found := secret.Data[item.Key]
				if !found {
					t.Fatalf("the Secret %s has no key %s", source.Secret.Name, item.Key)
				}
				write(item.Path, data)
			}
		}
	}
	must(t, exec.Command("chmod", "0755", dir).Run())
	return dir
}
