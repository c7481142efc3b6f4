// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"os"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// FuzzBlocks: whatever a file holds, reading it ends with a result or an error, and what could be read gives updates that can
// be read again.
func FuzzBlocks(f *testing.F) {
	w := emptyWorld(f)
	for i := range 3 {
		cert, _ := issue(f, w.orgs["OrdererMSP"].tls, pki.SignUsage, 30)
		w.nodes[fmt.Sprint("orderer", i)] = &fakeNode{address: fmt.Sprint("127.0.0.1:", 7050+i), tlsCert: cert}
	}
	w.makeGroup()
	config, err := os.ReadFile(w.path("config.block"))
	require.NoError(f, err)
	f.Add(config)
	f.Add(w.signedBlock(7, map[string]bool{"Org1MSP": true}))
	f.Add([]byte{})
	gm := newCA(f, "gm", true).Cert
	known, err := parseChannel(config)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = signersIn(data, known)
		ch, err := parseChannel(data)
		if err != nil {
			return
		}
		for _, m := range ch.members {
			changes, _, err := m.apply(addTLSRoots([]*x509.Certificate{gm}))
			if err != nil {
				continue
			}
			out, err := ch.envelope(ch.Name, changes)
			if err != nil {
				continue
			}
			require.NoError(t, proto.Unmarshal(out, new(common.Envelope)))
		}
	})
}
