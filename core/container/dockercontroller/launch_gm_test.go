// SPDX-License-Identifier: Apache-2.0

package dockercontroller

import (
	"strings"
	"testing"

	docker "github.com/fsouza/go-dockerclient"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/chaincode/persistence"
	"github.com/hyperledger/fabric/core/config/tlsconfig"
	"github.com/hyperledger/fabric/core/container/dockercontroller/mock"
)

// TestShimsOfTLSAlone: chaincode in Java and Node is refused where the peer's listener for chaincode speaks TLCP only, before the
// engine is asked for anything, whether its image exists or not. All other chaincode continues to the engine.
func TestShimsOfTLSAlone(t *testing.T) {
	t.Cleanup(func() { viper.Set(tlsconfig.ChaincodeModeKey, nil) })
	for name, test := range map[string]struct {
		mode, language string
		refused        bool
	}{
		"Java, TLCP":          {"gm", "java", true},
		"Node, TLCP":          {"gm", "node", true},
		"Java by old clients": {"gm", "JAVA", true},
		"Go, TLCP":            {"gm", "golang", false},
		"Java, TLS":           {"tls", "java", false},
		"Node, TLS":           {"tls", "node", false},
		"Node, no mode":       {"", "node", false},
	} {
		t.Run(name, func(t *testing.T) {
			viper.Set(tlsconfig.ChaincodeModeKey, test.mode)
			engine := &mock.DockerClient{}
			engine.InspectImageReturns(&docker.Image{}, nil)
			vm := &DockerVM{Client: engine, PeerID: "peer", NetworkID: "network"}
			instance, err := vm.Build("cc:1", &persistence.ChaincodePackageMetadata{Type: test.language}, strings.NewReader(""))
			if !test.refused {
				require.NoError(t, err)
				require.Equal(t, 1, engine.InspectImageCallCount())
				require.IsType(t, &ContainerInstance{}, instance)
				return
			}
			for _, part := range []string{`chaincode.tls.mode of this peer is "gm"`, strings.ToUpper(test.language), `set chaincode.tls.mode to "tls"`} {
				require.ErrorContains(t, err, part)
			}
			require.Nil(t, instance)
			require.Zero(t, engine.InspectImageCallCount())
		})
	}
}
