// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestOwners: CODEOWNERS names folders that exist, and gives the reviewers of cryptography the folders that CONTRIBUTING.md names.
func TestOwners(t *testing.T) {
	owned := map[string]bool{}
	for line := range strings.Lines(read(t, "CODEOWNERS")) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") || fields[0] == "*" {
			continue
		}
		path := strings.Trim(fields[0], "/")
		if info, err := os.Stat("../" + path); err != nil || !info.IsDir() {
			t.Errorf("CODEOWNERS names %s, which is not a folder", fields[0])
		}
		if !strings.HasPrefix(fields[0], "/") || !strings.HasSuffix(fields[0], "/") {
			t.Errorf("CODEOWNERS: %s would match elsewhere too, write /%s/", fields[0], path)
		}
		owned[path] = strings.Contains(line, "@cryptography")
	}
	_, review, _ := strings.Cut(read(t, "CONTRIBUTING.md"), "Two read a change in ")
	review, _, _ = strings.Cut(review, ", and one")
	folders := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(review, -1)
	if len(folders) == 0 {
		t.Fatal("CONTRIBUTING.md names no folder that two review")
	}
	for _, folder := range folders {
		if !owned[folder[1]] {
			t.Errorf("CODEOWNERS does not give %s to @cryptography, as CONTRIBUTING.md says", folder[1])
		}
	}
}
