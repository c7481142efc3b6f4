// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSystemdUnits has systemd read the unit of the deployment guide as it stands for a peer, with what the guide adds for encrypted
// keys, and with what it says of orderers. Only the binaries, which need not be installed here, are others.
func TestSystemdUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd here: ", err)
	}
	units := unitsIn(t, "docs/deployment.md")
	if len(units) != 2 {
		t.Fatalf("the guide has %d units: adapt this test", len(units))
	}
	orderer := strings.NewReplacer("peer node start", "orderer", "/etc/fabric/peer", "/etc/fabric/orderer")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"peer":           units[0],
		"peer-encrypted": units[0] + units[1],
		"orderer":        orderer.Replace(units[0]),
		"peer-wrong":     units[0] + "[Service]\nNoSuchDirective=yes\n",
		"ca":             unitsIn(t, "docs/ca.md")[0],
		"gmkeyd":         unitsIn(t, "docs/hsm.md")[0],
		"proxy":          unitsIn(t, "docs/applications.md")[0],
	} {
		unit := filepath.Join(dir, name+".service")
		text = strings.ReplaceAll(text, "/usr/local/bin/", "/bin/true ")
		if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput()
		if good := err == nil && len(out) == 0; good != (name != "peer-wrong") {
			t.Errorf("unit %s: %v\n%s", name, err, out)
		}
	}
}

// TestUnitsComeBack: systemd gives up a service that it has started five times within 10 seconds, also with Restart=always. Nodes and their key daemon are
// to come back however often they end, and so is what applications use in front of them.
func TestUnitsComeBack(t *testing.T) {
	value := func(unit, key string) string {
		if found := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindStringSubmatch(unit); found != nil {
			return found[1]
		}
		return ""
	}
	for _, guide := range []string{"docs/deployment.md", "docs/deployment.zh-CN.md", "docs/hsm.md", "docs/hsm.zh-CN.md", "docs/applications.md", "docs/applications.zh-CN.md", "docs/ca.md", "docs/ca.zh-CN.md"} {
		unit := unitsIn(t, guide)[0]
		if value(unit, "StartLimitIntervalSec") == "0" {
			continue
		}
		pause := value(unit, "RestartSec")
		if strings.Trim(pause, "0123456789") == "" {
			pause += "s"
		}
		if between, err := time.ParseDuration(pause); err != nil || 5*between <= 10*time.Second {
			t.Errorf("%s: systemd gives the unit up after five ends in a row: RestartSec=%s", guide, pause)
		}
	}
}

// unitsIn returns the units of a document, and what it adds to them.
func unitsIn(t *testing.T, name string) (units []string) {
	t.Helper()
	for _, match := range fence.FindAllStringSubmatch(read(t, name), -1) {
		if match[1] == "ini" {
			units = append(units, match[2])
		}
	}
	return units
}
