// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const (
	softHSM = "/usr/lib/softhsm/libsofthsm2.so"
	pin     = "87654321"
)

// TestKeyDaemon runs the key daemon with a peer, as their manifest says. Its device is SoftHSM, the library of which comes in the claim; the token itself
// lies where the container may write, as it is not a device that is elsewhere.
func TestKeyDaemon(t *testing.T) {
	needTools(t)
	tool, err := exec.LookPath("softhsm2-util")
	if err != nil {
		t.Skip("softhsm2 is not installed")
	}
	dir, values := planned(t, "gm")
	values["version"] = "latest"
	values["keyd"] = map[string]any{
		"enabled": true, "claim": "device", "environment": map[string]any{"SOFTHSM2_CONF": "/opt/device/softhsm2.conf"},
		"config": "users: [{user: '10001'}]\ndevices: [{name: soft, random: true, pkcs11: {library: /opt/device/libsofthsm2.so, token: soft, pin: {file: /opt/device/pin}}}]\n",
	}
	m, err := render(t, values)
	must(t, err)
	pod := m.statefulSets["port-peer0"].Spec.Template.Spec
	v := newVolumes(m, makeSecrets(t, dir), pod)
	device, tokens := v.folder(t, "device"), filepath.Join(v.folder(t, "tmp"), "tokens")
	must(t, os.Mkdir(tokens, 0o700))
	library, err := os.ReadFile(softHSM)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(device, "libsofthsm2.so"), library, 0o755))
	must(t, os.WriteFile(filepath.Join(device, "pin"), []byte(pin), 0o600))
	conf := filepath.Join(device, "softhsm2.conf")
	must(t, os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\n"), 0o644))
	output(t, nil, "env", "SOFTHSM2_CONF="+conf, tool, "--init-token", "--free", "--label", "soft", "--so-pin", "12345678", "--pin", pin)
	must(t, os.WriteFile(conf, []byte("directories.tokendir = /tmp/tokens\n"), 0o644))
	output(t, nil, "chown", "-R", "10001:10001", device, tokens)

	keyd := pod.Containers[1]
	await(t, startContainer(t, v, "keyd", keyd), keyd.ReadinessProbe.Exec.Command)
	if _, err := os.Stat(filepath.Join(v.folder(t, "keyd"), "gmkeyd.sock")); err != nil {
		t.Errorf("the peer's container would not find its socket: %v", err)
	}
}
