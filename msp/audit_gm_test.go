// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"strings"
	"testing"

	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
)

// TestRefusalsAreRecorded: an identity of another CA and a wrong signature leave a line each, what is in order none.
func TestRefusalsAreRecorded(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root, stranger := newRoot(t, f, "root"), newRoot(t, f, "other root")
		peer, admin := root.issue(t, f, template(t, "peer")), root.issue(t, f, template(t, "admin"))
		made, err := setupVersion(t, MSPv1_4_3, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, Admins: [][]byte{admin.pem()}, SigningIdentity: signingInfo(t, peer)})
		require.NoError(t, err)
		sid, err := made.GetDefaultSigningIdentity()
		require.NoError(t, err)
		signature, err := sid.Sign([]byte("message"))
		require.NoError(t, err)

		logger, lines := floggingtest.NewTestLogger(t)
		defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
		require.NoError(t, sid.GetPublicVersion().Validate())
		require.NoError(t, sid.GetPublicVersion().Verify([]byte("message"), signature))
		require.NotContains(t, strings.Join(lines.Entries(), "\n"), "security event")
		require.Error(t, sid.GetPublicVersion().Verify([]byte("massage"), signature))
		require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=signature-refused msp="+made.name+" subject=\"CN=peer\" issuer=\"CN=root\" serial="+peer.cert.SerialNumber.Text(16))

		foreign := stranger.issue(t, f, template(t, "mallory"))
		id, err := made.deserializeIdentityInternal(foreign.pem())
		if err == nil { // the chain of an SM2 certificate is looked at later
			err = id.Validate()
		}
		require.Error(t, err)
		require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=identity-refused msp="+made.name+" subject=\"CN=mallory\" issuer=\"CN=other root\" serial="+
			foreign.cert.SerialNumber.Text(16)+" reason=")
		_, err = made.deserializeIdentityInternal([]byte("garbage"))
		require.Error(t, err)
		require.Contains(t, strings.Join(lines.Entries(), "\n"), "event=identity-refused msp="+made.name+" subject= issuer= serial= reason=\"could not decode")
	})
}
