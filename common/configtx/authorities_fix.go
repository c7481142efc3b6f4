// SPDX-License-Identifier: Apache-2.0

package configtx

import (
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/golang/protobuf/proto"
	mspprotos "github.com/hyperledger/fabric-protos-go/msp"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/msp"
)

const (
	// authorityAtMost bounds a CA's certificate in bytes.
	authorityAtMost = 16 << 10

	// modulusAtMost is the bound in bits that crypto/tls has for RSA keys. An MSP has none: whoever shows a certificate with the name of such a
	// CA as its issuer has a node compute with its key.
	modulusAtMost = 8192
)

// checkAuthorities looks at the CAs that an MSP did not have before. What cannot be read is left to the MSP.
func checkAuthorities(was, is []byte) error {
	known := map[string]bool{}
	for _, text := range authorities(was) {
		known[string(text)] = true
	}
	for _, text := range authorities(is) {
		block, _ := pem.Decode(text)
		if block == nil || known[string(text)] {
			continue
		}
		if size := len(block.Bytes); size > authorityAtMost {
			return fmt.Errorf("a certificate of a CA has %d bytes, and the limit is %d", size, authorityAtMost)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > modulusAtMost {
			return fmt.Errorf("the RSA key of CA %q has %d bits, and the limit is %d", cert.Subject, key.N.BitLen(), modulusAtMost)
		}
	}
	return nil
}

func authorities(encoded []byte) [][]byte {
	config, fabric := &mspprotos.MSPConfig{}, &mspprotos.FabricMSPConfig{}
	if proto.Unmarshal(encoded, config) != nil || config.Type != int32(msp.FABRIC) || proto.Unmarshal(config.Config, fabric) != nil {
		return nil
	}
	return slices.Concat(fabric.RootCerts, fabric.IntermediateCerts, fabric.TlsRootCerts, fabric.TlsIntermediateCerts)
}
