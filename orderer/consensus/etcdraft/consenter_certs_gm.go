// SPDX-License-Identifier: Apache-2.0

package etcdraft

import (
	"encoding/pem"
	"fmt"

	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	consenters "github.com/hyperledger/fabric/common/consenter"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// decodeIdentity is pem.Decode for a TLS certificate field: the first block, its Bytes extended by the DER of the
// second certificate when the field holds one. crypto.CertificatesWithSamePublicKey compares such lists.
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

// validateConsenterTLSCerts checks every certificate by which the consenter can be recognised, not just the first.
//
//fork:wrap gm: each of two certificates in a field must chain to the TLS roots
func validateConsenterTLSCerts(c *etcdraft.Consenter, opts x509.VerifyOptions, ignoreExpiration bool) error {
	clients, servers := consenters.IdentityCertificates(c.ClientTlsCert), consenters.IdentityCertificates(c.ServerTlsCert)
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
		if err := consenters.Check(field.blocks[0]); err != nil {
			return fmt.Errorf("tls %s cert of %s:%d: %w", field.name, c.Host, c.Port, err)
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
			blocks := consenters.IdentityCertificates(field)
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
