// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	m "github.com/hyperledger/fabric-protos-go/msp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

// FuzzIdentity hands an MSP changed SM2 certificates, as any client can. None
// may crash it, and none but the one that the CA signed may be valid, as the CA wrote it.
func FuzzIdentity(f *testing.F) {
	t := &testing.T{}
	// Workers are separate processes: what the CA signs must be the same in
	// all of them, so keys, numbers and times are fixed.
	fixed := func(scalar byte, cert *x509.Certificate) (*sm2.PrivateKey, *x509.Certificate) {
		key, err := x509.NewSM2PrivateKey([]byte{scalar})
		require.NoError(f, err)
		cert.SerialNumber = big.NewInt(0x1234567890)
		cert.NotBefore, cert.NotAfter = time.Unix(1700000000, 0), time.Unix(4000000000, 0)
		return key, cert
	}
	rootKey, rootCert := fixed(7, template(t, "root"))
	rootCert = asCA(rootCert)
	root := certify(t, rootCert, rootCert, rootKey, rootKey)
	peerKey, peerCert := fixed(9, template(t, "peer", "peer"))
	peer := certify(t, peerCert, root.cert, peerKey, rootKey)
	made := mustSetup(t, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root)})
	forged := newRoot(t, familySM2, "root").issue(t, familySM2, template(t, "peer", "peer"))
	for _, c := range []credential{peer, root, forged, newRoot(t, familyECDSA, "root")} {
		f.Add(c.cert.Raw, []byte("message"), []byte{0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01})
	}
	require.NoError(f, validate(t, made, peer))

	f.Fuzz(func(t *testing.T, der, message, signature []byte) {
		encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		_ = made.IsWellFormed(&m.SerializedIdentity{Mspid: made.name, IdBytes: encoded})
		serialized, err := NewSerializedIdentity(made.name, encoded)
		require.NoError(t, err)
		id, err := made.DeserializeIdentity(serialized)
		if err != nil {
			return
		}
		require.Error(t, id.Verify(message, signature), "a signature out of thin air")
		if id.Validate() != nil {
			return
		}
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		require.True(t, bytes.Equal(cert.RawTBSCertificate, peer.cert.RawTBSCertificate), "valid, but not signed by the CA")
		require.True(t, bytes.Equal(cert.Raw, peer.cert.Raw), "valid, but not as the CA wrote it")
	})
}
