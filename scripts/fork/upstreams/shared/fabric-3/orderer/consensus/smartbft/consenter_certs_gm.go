// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"encoding/pem"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/channelconfig"
	consenters "github.com/hyperledger/fabric/common/consenter"
	"github.com/hyperledger/fabric/common/crypto"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/util"
)

// decodeIdentity is pem.Decode for a TLS certificate field: the first block, its Bytes extended by the DER of the
// second certificate when the field holds one.
func decodeIdentity(field []byte) (*pem.Block, []byte) {
	blocks := consenters.IdentityCertificates(field)
	if len(blocks) == 0 {
		return nil, field
	}
	joined := &pem.Block{Type: blocks[0].Type, Headers: blocks[0].Headers}
	for _, b := range blocks {
		joined.Bytes = append(joined.Bytes, b.Bytes...)
	}
	return joined, nil
}

// parseConsenterCertificates parses each certificate of what decodeIdentity returned, and returns the first.
func parseConsenterCertificates(der []byte) (first *gmx509.Certificate, err error) {
	for _, piece := range crypto.SplitCertificates(der) {
		cert, err := gmx509.ParseCertificate(piece)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = cert
		}
	}
	if first == nil {
		return nil, fmt.Errorf("no certificate")
	}
	return first, nil
}

// checkConsentersMatchPolicy also judges the certificates of the consenters. With one that cannot be read, or with the encryption
// certificate of a TLCP pair, orderers could not apply the configuration any more once it is ordered.
//
//fork:wrap gm: a configuration that names a consenter by a certificate that cannot serve is refused before it is ordered
func (cbv *ConfigBlockValidator) checkConsentersMatchPolicy(conf *cb.Config) error {
	if err := cbv.upstreamCheckConsentersMatchPolicy(conf); err != nil {
		return err
	}
	orderers := &cb.Orderers{}
	if err := proto.Unmarshal(conf.ChannelGroup.Groups[channelconfig.OrdererGroupKey].Values[channelconfig.OrderersKey].Value, orderers); err != nil {
		return err
	}
	for _, c := range orderers.ConsenterMapping {
		if err := util.CheckConsenter(c); err != nil {
			return fmt.Errorf("consenter %d (%s:%d): %w", c.Id, c.Host, c.Port, err)
		}
	}
	return nil
}
