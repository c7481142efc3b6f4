// SPDX-License-Identifier: Apache-2.0

package etcdraft

import (
	"encoding/pem"
	"fmt"

	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// A consenter's ServerTlsCert and ClientTlsCert may each hold two certificates in PEM, so that a node can be recognised over
// TLS and over TLCP: its standard one and its SM2 signing one. What else stands in the field, chain or encryption
// certificates, names nobody. Stock Fabric reads the first block alone, hence the standard certificate should
// come first while stock orderers take part.

// identityCertificates returns the PEM blocks of a TLS certificate field by which its owner is recognised: the first
// block, as upstream, and the first end-entity certificate of the other key family (SM2 or standard) behind
// it. An SM2 certificate counts when it may sign. CA certificates behind the first block never count: several nodes can
// carry the same chain.
func identityCertificates(field []byte) []*pem.Block {
	first, rest := pem.Decode(field)
	if first == nil {
		return nil
	}
	blocks := []*pem.Block{first}
	cert, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		return blocks // judged where the certificate is parsed, as upstream
	}
	for next, rest := pem.Decode(rest); next != nil; next, rest = pem.Decode(rest) {
		other, err := x509.ParseCertificate(next.Bytes)
		if err != nil || other.IsCA || x509.IsSM2(other.PublicKey) == x509.IsSM2(cert.PublicKey) || !maySign(other) {
			continue
		}
		return append(blocks, next)
	}
	return blocks
}

// maySign tells signing from encryption certificates of TLCP (GB/T 38636). Standard certificates serve for all.
func maySign(cert *x509.Certificate) bool {
	const signing = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	return !x509.IsSM2(cert.PublicKey) || cert.KeyUsage&signing != 0
}

// decodeIdentity is pem.Decode for a TLS certificate field: the first block, its Bytes extended by the DER of the
// second certificate when the field holds one. crypto.CertificatesWithSamePublicKey compares such lists.
func decodeIdentity(field []byte) (*pem.Block, []byte) {
	blocks := identityCertificates(field)
	if len(blocks) == 0 {
		return nil, field
	}
	joined := &pem.Block{Type: blocks[0].Type, Headers: blocks[0].Headers}
	for _, b := range blocks {
		joined.Bytes = append(joined.Bytes, b.Bytes...)
	}
	return joined, nil
}

// validateConsenterTLSCerts checks every certificate by which the consenter can be recognised, not just the first.
//
//fork:wrap gm: each of two certificates in a field must chain to the TLS roots
func validateConsenterTLSCerts(c *etcdraft.Consenter, opts x509.VerifyOptions, ignoreExpiration bool) error {
	clients, servers := identityCertificates(c.ClientTlsCert), identityCertificates(c.ServerTlsCert)
	for i := 0; i < max(1, len(clients), len(servers)); i++ {
		part := &etcdraft.Consenter{Host: c.Host, Port: c.Port, ClientTlsCert: c.ClientTlsCert, ServerTlsCert: c.ServerTlsCert}
		if len(clients) > 0 {
			part.ClientTlsCert = pem.EncodeToMemory(clients[min(i, len(clients)-1)])
		}
		if len(servers) > 0 {
			part.ServerTlsCert = pem.EncodeToMemory(servers[min(i, len(servers)-1)])
		}
		if err := upstreamValidateConsenterTLSCerts(part, opts, ignoreExpiration); err != nil {
			return err
		}
	}
	for _, field := range []struct {
		name   string
		blocks []*pem.Block
	}{{"client", clients}, {"server", servers}} {
		if cert, err := x509.ParseCertificate(field.blocks[0].Bytes); err != nil || !maySign(cert) {
			return fmt.Errorf("tls %s cert of %s:%d is an SM2 encryption certificate: put the SM2 signing certificate into the field",
				field.name, c.Host, c.Port)
		}
	}
	return nil
}

// MetadataHasDuplication also refuses two consenters that share one certificate of a field that holds two: requests over
// it could not be attributed to either.
//
//fork:wrap gm: compare certificates one by one when a field holds two
func MetadataHasDuplication(md *etcdraft.ConfigMetadata) error {
	if err := upstreamMetadataHasDuplication(md); err != nil {
		return err
	}
	owners, bundles := map[string]*etcdraft.Consenter{}, false
	var shared error
	for _, c := range md.Consenters {
		for _, field := range [][]byte{c.ServerTlsCert, c.ClientTlsCert} {
			blocks := identityCertificates(field)
			bundles = bundles || len(blocks) > 1
			for _, block := range blocks {
				if owner, seen := owners[string(block.Bytes)]; seen && owner != c {
					shared = fmt.Errorf("duplicate consenter: %s:%d and %s:%d share the TLS certificate %s",
						owner.Host, owner.Port, c.Host, c.Port, pem.EncodeToMemory(block))
				}
				owners[string(block.Bytes)] = c
			}
		}
	}
	if !bundles {
		return nil // one certificate a field: upstream's comparison stands
	}
	return shared
}

// liveCertificate returns the PEM bundle that this node presents now in place of the one it was started with: a reload may
// have replaced it.
func liveCertificate(started []byte) []byte {
	return comm.CurrentCertificate(started)
}
