// SPDX-License-Identifier: Apache-2.0

package localconfig

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKafkaTakesNoSettingsOfOurs(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"kafka mode":       {"Kafka:\n    TLS:\n        Enabled: true\n        Mode: gm\n        RootCAs: [x]\n        PrivateKey: x\n        Certificate: x" + gmPair, "Kafka"},
		"kafka handshakes": {"Kafka:\n    TLS:\n        HandshakesPerAddress: 1\n", "Kafka.TLS takes no"},
		"kafka revocation": {"Kafka:\n    TLS:\n        Enabled: true\n        CheckRevocation: true\n        RootCAs: [x]\n        PrivateKey: x\n        Certificate: x\n", "Kafka.TLS takes no"},
	} {
		_, _, err := loadConfig(t, tc.yaml)
		require.ErrorContains(t, err, tc.want, name)
	}
}
