// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const (
	softHSM = "/usr/lib/softhsm/libsofthsm2.so"
	pin     = "87654321"
)

// TestKeyDaemon runs the key daemon and a peer that has its TLS key there, as their manifest says. Its device is SoftHSM, the library of which comes in
// the claim; the token itself lies where the container may write, as it is not a device that is elsewhere. When the daemon ends, the peer is not ready, and
// is left alone.
func TestKeyDaemon(t *testing.T) {
	needTools(t)
	tool, err := exec.LookPath("softhsm2-util")
	if err != nil {
		t.Skip("softhsm2 is not installed")
	}
	dir, values := planned(t, "dual")
	values["version"] = "latest"
	values["keyd"] = map[string]any{
		"enabled": true, "claim": "device", "environment": map[string]any{"SOFTHSM2_CONF": "/opt/device/softhsm2.conf"},
		"config": "users: [{user: '10001'}]\ndevices: [{name: soft, random: true, pkcs11: {library: /opt/device/libsofthsm2.so, token: soft, pin: {file: /opt/device/pin}}}]\n",
	}
	m, err := render(t, values)
	must(t, err)
	pod := m.statefulSets["port-peer0"].Spec.Template.Spec
	secrets := makeSecrets(t, dir)
	v := newVolumes(m, secrets, pod)
	device, tokens := v.folder(t, "device"), filepath.Join(v.folder(t, "tmp"), "tokens")
	must(t, os.Mkdir(tokens, 0o700))
	library, err := os.ReadFile(softHSM)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(device, "libsofthsm2.so"), library, 0o755))
	must(t, os.WriteFile(filepath.Join(device, "pin"), []byte(pin), 0o600))
	conf := filepath.Join(device, "softhsm2.conf")
	must(t, os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\n"), 0o644))
	output(t, nil, "env", "SOFTHSM2_CONF="+conf, tool, "--init-token", "--free", "--label", "soft", "--so-pin", "12345678", "--pin", pin)
	tls := filepath.Join(dir, "port1/peer0.port.example/tls/server")
	output(t, nil, "env", "SOFTHSM2_CONF="+conf, tool, "--import", tls+".key", "--token", "soft", "--label", "tls", "--id", "01", "--pin", pin)
	public, _ := pem.Decode([]byte(output(t, nil, "openssl", "x509", "-in", tls+".crt", "-noout", "-pubkey")))
	secrets["peer0-keys"].Data["server.key"] = pem.EncodeToMemory(&pem.Block{
		Type: "KEY REFERENCE", Headers: map[string]string{"Key": "pkcs11:token=soft;object=tls;type=private"}, Bytes: public.Bytes,
	})
	must(t, os.WriteFile(conf, []byte("directories.tokendir = /tmp/tokens\n"), 0o644))
	output(t, nil, "chown", "-R", "10001:10001", device, tokens)

	keyd := pod.Containers[1]
	daemon := startContainer(t, v, "keyd", keyd)
	await(t, daemon, keyd.ReadinessProbe.Exec.Command)
	if _, err := os.Stat(filepath.Join(v.folder(t, "keyd"), "gmkeyd.sock")); err != nil {
		t.Errorf("the peer's container would not find its socket: %v", err)
	}
	peer := pod.Containers[0]
	container := start(t, v, "keyd-peer")
	await(t, container, peer.ReadinessProbe.Exec.Command)
	output(t, nil, "docker", "stop", daemon)
	ready := append([]string{"exec", container}, peer.ReadinessProbe.Exec.Command...)
	for deadline := time.Now().Add(limit); runs("docker", ready...); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			t.Fatal("it is ready without its key")
		}
	}
	if err := alive(t, container, peer); err != nil {
		t.Errorf("it would be restarted, and could not start: %v", err)
	}
}
