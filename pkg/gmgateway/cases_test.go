// SPDX-License-Identifier: Apache-2.0

package gmgateway

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric/pkg/internal/roots"
	"github.com/stretchr/testify/require"
)

// Files as other tools write them mean to an application what they mean to a node.
func TestFilesOfOtherTools(t *testing.T) {
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join("../../common/crypto/material/testdata/cases", name))
		require.NoError(t, err)
		return text
	}
	for _, name := range []string{
		"openssl-keys/ecparam.key", "key-forms/id-compressed.key", "explicit-curve/openssl.key", "one-file/both.pem",
	} {
		for _, text := range [][]byte{read(name), append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(read(name), []byte("\n"), []byte("\r\n"))...)} {
			signer, err := NewSigner(text)
			require.NoError(t, err, name)
			_, err = signer.Sign(signer.Hash([]byte("message")))
			require.NoError(t, err, name)
		}
	}
	for name, want := range map[string]string{
		"gmssl3-keys/sign.key": "is encrypted", "enveloped-keys/enveloped.der": "gmtls key", "enveloped-keys/cfca.sm2": "gmtls key",
		"base/ca.crt": "no private key",
	} {
		_, err := NewSigner(read(name))
		require.ErrorContains(t, err, want, name)
	}
	// The identity is the end-entity certificate, wherever in the file it stands, in the PEM that nodes write.
	id, err := NewIdentity("Org1MSP", append(read("base/ca.crt"), read("base/peer/msp/signcerts/peer.crt")...))
	require.NoError(t, err)
	require.Equal(t, read("base/peer/msp/signcerts/peer.crt"), id.Credentials())
	_, err = NewIdentity("Org1MSP", read("identity-ca/trusted-label.crt"))
	require.ErrorContains(t, err, "TRUSTED CERTIFICATE")

	joined, err := roots.SM2("tlsCACerts", read("root-bundle/joined.pem"))
	require.NoError(t, err)
	require.Len(t, joined.Authorities, 3)
	_, err = roots.SM2("tlsCACerts", append(read("base/gm-ca.crt"), []byte("-----BEGIN CERTIFICATE-----\n")...))
	require.ErrorContains(t, err, "tlsCACerts: object 2")
}
