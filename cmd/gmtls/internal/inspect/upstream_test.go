// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
)

// Upstream's own loader judged these folders, which come with its source: each
// was set up as a local MSP (version 1.4.3) and its signing identity validated.
// What it refuses is named by the cause that must be found.
var upstreamFolders = map[string]cause.ID{
	"badadmin": cause.NodeOUs, "badconfigou": cause.NodeOUs, "badconfigoucert": cause.NodeOUs,
	"expiration": "", "expired": cause.Expired, "external": "", "intermediate": "", "intermediate2": "", "mspid": "",
	"nodeouadmin": "", "nodeouadmin2": cause.MSPIncomplete, "nodeouadmin3": cause.MSPIncomplete,
	"nodeouadminclient": "", "nodeouadminclient2": cause.NodeOUs,
	"nodeouorderer": "", "nodeouorderer2": "", "nodeouorderer3": "",
	"nodeous1": cause.NodeOUs, "nodeous2": cause.NodeOUs, "nodeous3": "",
	// The loader accepts it, but any validation refuses its administrator, whose OU another CA vouches for.
	"nodeous4": cause.NodeOUs,
	"nodeous5": cause.NodeOUs, "nodeous6": "", "nodeous7": cause.NodeOUs, "nodeous8": cause.NodeOUs,
	"nodeousbadconf1": cause.NodeOUs, "nodeousbadconf2": "",
	"revocation": cause.Revoked, "revokedica": cause.Revoked, "tls": "",
	"revocation2": "", // of no CA there: the node never uses the list, and the tool warns
}

func TestFoldersOfUpstream(t *testing.T) {
	download := exec.Command("go", "mod", "download", "-json", "github.com/hyperledger/fabric")
	download.Dir = filepath.Join("..", "..", "..", "..", "scripts", "fork") // whose go.mod pins upstream
	out, err := download.Output()
	require.NoError(t, err)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))
	root := filepath.Join(module.Dir, "msp", "testdata")
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	judged := 0
	for _, e := range entries {
		if !isDir(filepath.Join(root, e.Name(), "cacerts")) {
			continue
		}
		want, known := upstreamFolders[e.Name()]
		require.True(t, known, "a new folder: %s", e.Name())
		judged++
		t.Run(e.Name(), func(t *testing.T) {
			r := &Report{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			require.NoError(t, r.node(filepath.Join(root, e.Name())))
			var met []cause.ID
			for _, f := range r.Findings {
				if !f.Warning {
					met = append(met, f.Cause)
				}
			}
			if want == "" {
				require.Empty(t, met, "%v", r.Findings)
				return
			}
			require.Contains(t, met, want)
		})
	}
	require.Equal(t, len(upstreamFolders), judged)
}
