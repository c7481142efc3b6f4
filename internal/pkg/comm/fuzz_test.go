// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// FuzzOrganizations: an administrator can write anything into the MSP of his organisation. It is read without a panic, and every list that
// counts was signed by a CA of that MSP.
func FuzzOrganizations(f *testing.F) {
	for _, family := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
		ca := gmtlstest.NewFamilyCA(f, family, "ca")
		list := ca.RevocationList(f, x509.RevocationList{}, ca.Cert.SerialNumber)
		raw, err := proto.Marshal(mspOf("Org", [][]byte{ca.CertPEM}, [][]byte{list}))
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		config, err := proto.Marshal(&mspproto.MSPConfig{Config: raw})
		require.NoError(t, err)
		orgs := organizationsOf("channel", &cb.Config{ChannelGroup: &cb.ConfigGroup{
			Values: map[string]*cb.ConfigValue{channelconfig.MSPKey: {Value: config}},
		}})
		revocationStatus(orgs, time.Now())
		fabric := &mspproto.FabricMSPConfig{}
		if proto.Unmarshal(raw, fabric) != nil {
			require.Empty(t, orgs)
			return
		}
		require.Len(t, orgs, 1)
		cas := make(map[keyID]*x509.Certificate)
		for _, texts := range [][][]byte{fabric.RootCerts, fabric.IntermediateCerts, fabric.TlsRootCerts, fabric.TlsIntermediateCerts} {
			for _, text := range texts {
				roots := parseRoots(text)
				for _, ca := range append(roots.std, roots.authorities()...) {
					cas[keyIDOf(ca)] = ca
				}
			}
		}
		for id, scopes := range orgs[0].current {
			require.Contains(t, cas, id)
			for _, list := range scopes {
				require.NoError(t, x509.CheckCRLSignature(cas[id], list))
			}
		}
	})
}
