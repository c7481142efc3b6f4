// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/consenter"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/msp"
)

// seat is a consenter in a configuration, with its TLS fields, and in SmartBFT the identity by which it signs blocks.
type seat struct {
	address        string
	client, server []byte
	mspID          string
	identity       []byte
}

// judgeConsenters refuses what an update makes wrong with consenters. An orderer of Raft refuses the same, once the members have signed;
// one of SmartBFT does not, and the consenter could not connect.
func judgeConsenters(before, after *cb.ConfigGroup, old, next *channelconfig.Bundle) error {
	now := time.Now()
	known := consenterProblems(before, old, now)
	fresh := slices.DeleteFunc(consenterProblems(after, next, now), func(p string) bool { return slices.Contains(known, p) })
	if len(fresh) > 0 {
		return fmt.Errorf("orderers would refuse the configuration: %s", strings.Join(fresh, "; "))
	}
	return nil
}

// consenterProblems judges each certificate by which a consenter is recognised, by the rules of orderer/consensus/etcdraft, and by its
// validity. No key may recognise two.
func consenterProblems(root *cb.ConfigGroup, bundle *channelconfig.Bundle, now time.Time) (problems []string) {
	ordering, ok := bundle.OrdererConfig()
	if !ok {
		return nil
	}
	all, err := clusterOf(root)
	if err != nil {
		return []string{err.Error()}
	}
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, organization := range ordering.Organizations() {
		addAll(options.Roots, organization.MSP().GetTLSRootCerts())
		addAll(options.Intermediates, organization.MSP().GetTLSIntermediateCerts())
	}
	owners := map[string]string{}
	for _, s := range all.seats() {
		if s.mspID != "" {
			problems = append(problems, identityProblems(s, bundle.MSPManager(), owners)...)
		}
		for name, field := range map[string][]byte{"client": s.client, "server": s.server} {
			blocks := consenter.IdentityCertificates(field)
			if len(blocks) == 0 {
				problems = append(problems, fmt.Sprintf("consenter %s has no TLS %s certificate", s.address, name))
				continue
			}
			if err := consenter.Check(blocks[0]); err != nil {
				problems = append(problems, fmt.Sprintf("TLS %s certificate of consenter %s: %v", name, s.address, err))
				continue
			}
			for _, block := range blocks {
				cert, err := x509.ParseCertificate(block.Bytes)
				if err == nil {
					_, err = x509.Verify(cert, options)
				}
				if err != nil {
					problems = append(problems, fmt.Sprintf("TLS %s certificate of consenter %s: %v; its CA must be a TLS CA of an ordering organisation", name, s.address, err))
					continue
				}
				key := string(cert.RawSubjectPublicKeyInfo)
				if owner, taken := owners[key]; taken && owner != s.address {
					problems = append(problems, fmt.Sprintf("the consenters %s and %s have the same key: give each its own", owner, s.address))
				}
				owners[key] = s.address
			}
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// identityProblems finds an identity that could not sign blocks: one that the MSP does not accept, or that is another consenter's. Orderers
// do not look, and would go on with one consenter less than they count.
func identityProblems(s seat, manager msp.IdentityDeserializer, owners map[string]string) (problems []string) {
	serialized, err := proto.Marshal(&mb.SerializedIdentity{Mspid: s.mspID, IdBytes: s.identity})
	if err != nil {
		return []string{fmt.Sprintf("consenter %s: its MSP id is no text", s.address)}
	}
	identity, err := manager.DeserializeIdentity(serialized)
	if err == nil {
		err = identity.Validate()
	}
	if err != nil {
		return []string{fmt.Sprintf("consenter %s: the identity is none of %s: %v", s.address, s.mspID, err)}
	}
	block, _ := pem.Decode(s.identity)
	if owner, taken := owners[string(block.Bytes)]; taken {
		return []string{fmt.Sprintf("consenter %s: the identity is that of the consenter %s", s.address, owner)}
	}
	owners[string(block.Bytes)] = s.address
	return nil
}

// addAll adds what the MSP has accepted.
func addAll(pool *x509.CertPool, blobs [][]byte) {
	for _, blob := range blobs {
		certs, _ := material.ParseCertificates("", blob)
		for _, cert := range certs {
			pool.AddCert(cert.Certificate)
		}
	}
}
