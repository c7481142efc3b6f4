// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-lib-go/healthz"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

type checkers map[string]healthz.HealthChecker

func (c checkers) RegisterChecker(component string, checker healthz.HealthChecker) error {
	if c[component] != nil {
		return errors.New("taken")
	}
	c[component] = checker
	return nil
}

// TestKeyHealth runs in a separate process, which starts without keys: a process depends on those that it has used for as long as it runs.
func TestKeyHealth(t *testing.T) {
	const variable = "TEST_OF_KEY_HEALTH"
	if os.Getenv(variable) == "" {
		command := exec.Command(os.Args[0], "-test.run=^TestKeyHealth$", "-test.v")
		command.Env = append(os.Environ(), variable+"=1")
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Regexp(t, "--- (PASS|SKIP): TestKeyHealth", string(out))
		return
	}
	all := checkers{}
	RegisterKeyHealth(all)
	require.Panics(t, func() { RegisterKeyHealth(all) })
	require.NoError(t, all["keys"].HealthCheck(context.Background()), "a node without keys in a device")

	d := keydtest.StartSDF(t)
	key, err := keyd.ParseReference(d.SignReference(t))
	require.NoError(t, err)
	_, err = key.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
	require.NoError(t, all["keys"].HealthCheck(context.Background()))
	d.Folder.Set(keydtest.Gone, 1)
	_, err = key.SignContext(expired(t), []byte("m"), sm2.DefaultSM2SignerOpts)
	require.Error(t, err)
	require.ErrorContains(t, all["keys"].HealthCheck(context.Background()), "SDR_COMMFAIL")
	d.Folder.Set(keydtest.Gone, 0)
	_, err = key.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
	require.NoError(t, all["keys"].HealthCheck(context.Background()), "it turns green by itself")
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), keyHealthLimit/10)
	t.Cleanup(cancel)
	return ctx
}
