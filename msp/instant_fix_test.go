// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"
)

// TestClockOfNode: a certificate is judged without the clock, also when it begins a second before the zero time.
func TestClockOfNode(t *testing.T) {
	begins := func(at, until time.Time) func(*smx509.Certificate) {
		return func(c *smx509.Certificate) { c.NotBefore, c.NotAfter = at, until }
	}
	ended, never := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	ancient := begins(time.Time{}.Add(-time.Hour), ended)
	for _, f := range families {
		for _, offset := range []time.Duration{-2 * time.Second, -time.Second, 0} {
			begin := time.Time{}.Add(offset)
			odd := begins(begin, ended)
			for name, chain := range map[string]oddChain{
				"peer":         {root: ancient, middle: ancient, peer: odd},
				"intermediate": {root: ancient, middle: odd, peer: begins(time.Time{}.Add(time.Hour), ended)},
				"root":         {root: odd, middle: begins(time.Time{}.Add(time.Hour), ended), peer: begins(time.Time{}.Add(2*time.Hour), ended)},
				"all":          {root: odd, middle: odd, peer: odd},
			} {
				require.NoError(t, chain.judge(t, f), "%s: %s %s", f.name, name, offset)
			}
			require.Error(t, oddChain{peer: begins(begin, never)}.judge(t, f), "%s: its CA begins later than %s", f.name, begin)

			root, middle, _ := oddChain{root: odd, middle: odd}.make(t, f)
			mustSetup(t, &m.FabricMSPConfig{
				RootCerts: [][]byte{root}, FabricNodeOus: nodeOUs(credential{}), TlsRootCerts: [][]byte{root}, TlsIntermediateCerts: [][]byte{middle},
			})
		}
	}
}
