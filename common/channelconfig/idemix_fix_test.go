// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"testing"

	mspprotos "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// TestMalformedIdemix: an organisation that proposes a malformed Idemix MSP as its own gets an error, and no node ends.
func TestMalformedIdemix(t *testing.T) {
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		config []byte
		want   string
	}{
		"nothing":          {nil, `the Idemix MSP "" cannot be set up; set its field ipk to the issuer's public key (0 bytes now)`},
		"no key":           {protoutil.MarshalOrPanic(&mspprotos.IdemixMSPConfig{Name: "Anonymous"}), `the Idemix MSP "Anonymous" cannot be set up`},
		"signer":           {protoutil.MarshalOrPanic(&mspprotos.IdemixMSPConfig{Name: "Anonymous", Signer: &mspprotos.IdemixMSPSignerConfig{}}), `"Anonymous"`},
		"other bytes":      {protoutil.MarshalOrPanic(&mspprotos.IdemixMSPConfig{Ipk: []byte("no key")}), "failed to unmarshal ipk"},
		"no configuration": {[]byte("\xff"), "unmarshalling idemix msp config"},
	} {
		t.Run(name, func(t *testing.T) {
			config := (&signer{msp: &mspprotos.MSPConfig{Type: int32(msp.IDEMIX), Config: c.config}}).channel(t, "V2_0")
			require.NotPanics(t, func() { _, err = NewBundle("channel", config, csp) })
			require.ErrorContains(t, err, c.want)
		})
	}
}
