// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/bccsp/memo"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// TestSecurityNumbers: suites and the size of the memo are those of the code.
func TestSecurityNumbers(t *testing.T) {
	for _, document := range []string{"docs/security.md", "docs/security.zh-CN.md"} {
		text := strings.NewReplacer("（", " (", "）", ")").Replace(read(t, document))
		facts := []string{fmt.Sprintf(" %d,%03d ", memo.Capacity/1000, memo.Capacity%1000)}
		for _, suite := range gmtls.CipherSuites() {
			facts = append(facts, fmt.Sprintf("%s (0x%04X)", suite.Name, suite.ID))
		}
		for _, fact := range facts {
			if !strings.Contains(" "+strings.ReplaceAll(text, "\n", " "), fact) {
				t.Errorf("%s does not say %q", document, fact)
			}
		}
	}
}
