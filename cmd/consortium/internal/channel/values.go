// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"
	ob "github.com/hyperledger/fabric-protos-go/orderer"
	pb "github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/common/channelconfig"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
)

// Batch says when orderers cut a block. A zero leaves a limit as it is.
type Batch struct {
	Timeout           time.Duration // longest wait of a transaction for others
	MaxMessages       uint32        // most transactions in a block
	AbsoluteMaxBytes  uint32        // no transaction may be larger
	PreferredMaxBytes uint32        // a block is cut before it grows larger
}

// SetBatch changes when orderers cut a block.
func SetBatch(b Batch) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		group, err := organizations(root, true)
		if err != nil {
			return nil, err
		}
		var size ob.BatchSize
		if err := proto.Unmarshal(group.GetValues()[channelconfig.BatchSizeKey].GetValue(), &size); err != nil {
			return nil, errors.New("the channel's BatchSize cannot be decoded")
		}
		for _, limit := range []struct {
			field *uint32
			value uint32
		}{{&size.MaxMessageCount, b.MaxMessages}, {&size.AbsoluteMaxBytes, b.AbsoluteMaxBytes}, {&size.PreferredMaxBytes, b.PreferredMaxBytes}} {
			if limit.value != 0 {
				*limit.field = limit.value
			}
		}
		setValue(group, channelconfig.BatchSizeValue(size.MaxMessageCount, size.AbsoluteMaxBytes, size.PreferredMaxBytes))
		did := fmt.Sprintf("blocks of at most %d transactions and %d bytes (preferred %d)", size.MaxMessageCount, size.AbsoluteMaxBytes, size.PreferredMaxBytes)
		if b.Timeout < 0 {
			return nil, fmt.Errorf("a timeout of %v: it must be positive", b.Timeout)
		}
		if b.Timeout != 0 {
			setValue(group, channelconfig.BatchTimeoutValue(b.Timeout.String()))
			did += ", after " + b.Timeout.String()
		}
		return []string{did}, nil
	}
}

// SetPolicy sets the policy of that full name, such as /Channel/Application/Endorsement. The rule is that of configtx.yaml:
// "MAJORITY Endorsement", or "OR('BankMSP.admin')".
func SetPolicy(name, rule string) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		key := path.Base(name)
		group, err := groupAt(root, path.Dir(name))
		if err != nil {
			return nil, err
		}
		if !identifier.MatchString(key) {
			return nil, fmt.Errorf("%q is not the name of a policy", key)
		}
		kind := encoder.SignaturePolicyType
		if !strings.Contains(rule, "(") {
			kind = encoder.ImplicitMetaPolicyType
		}
		policy := &genesisconfig.Policy{Type: kind, Rule: rule}
		// The encoder makes policies only together with the three that every group has.
		made := &cb.ConfigGroup{Policies: map[string]*cb.ConfigPolicy{}}
		set := map[string]*genesisconfig.Policy{"Readers": policy, "Writers": policy, "Admins": policy, key: policy}
		if err := encoder.AddPolicies(made, set, channelconfig.AdminsPolicyKey); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fresh := made.Policies[key]
		if old := group.Policies[key]; old != nil {
			fresh.Version, fresh.ModPolicy = old.Version, old.ModPolicy
		}
		group.Policies[key] = fresh
		return []string{fmt.Sprintf("policy %s: %s", name, rule)}, nil
	}
}

// SetCapability turns a capability of a group on or off: GM_V1 of /Channel, see docs/upgrading.md.
func SetCapability(name, capability string, on bool) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		group, err := groupAt(root, name)
		if err != nil {
			return nil, err
		}
		var all cb.Capabilities
		if err := proto.Unmarshal(group.GetValues()[channelconfig.CapabilitiesKey].GetValue(), &all); err != nil {
			return nil, fmt.Errorf("the capabilities of %s cannot be decoded", name)
		}
		if all.Capabilities[capability] != nil == on {
			return nil, nil
		}
		set := map[string]bool{capability: on}
		for other := range all.Capabilities {
			if other != capability {
				set[other] = true
			}
		}
		setValue(group, channelconfig.CapabilitiesValue(set))
		return []string{fmt.Sprintf("capability %s of %s: %s", capability, name, map[bool]string{true: "on", false: "off"}[on])}, nil
	}
}

// SetRevocationLists puts lists from files into the MSP of an organisation, wherever it occurs. A list replaces an earlier one of
// the same CA. An older list is refused, because it would let revoked identities in again. Nodes check the signature.
func SetRevocationLists(mspID string, files []string) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		var fresh []*list
		for _, file := range files {
			read, err := material.ReadLists(file)
			if err != nil {
				return nil, err
			}
			for _, r := range read {
				parsed, err := x509.ParseRevocationList(r.DER)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", file, err)
				}
				fresh = append(fresh, &list{parsed, r.PEM(), file})
			}
		}
		if len(fresh) == 0 {
			return nil, errors.New("name at least one file with a revocation list")
		}
		return editMSP(root, mspID, func(f *mb.FabricMSPConfig) (string, error) {
			for _, l := range fresh {
				if err := l.replaceIn(f); err != nil {
					return "", err
				}
			}
			return fmt.Sprintf("%d revocation list(s) of %s", len(fresh), mspID), nil
		})
	}
}

// list is a revocation list from a file.
type list struct {
	*x509.RevocationList
	pem  []byte
	file string
}

// replaceIn puts the list in the place of its predecessors in an MSP.
func (l *list) replaceIn(f *mb.FabricMSPConfig) error {
	var kept [][]byte
	for _, blob := range f.RevocationList {
		old, err := material.ParseLists("a revocation list in the channel", blob)
		if err != nil {
			return err
		}
		for _, o := range old {
			parsed, err := x509.ParseRevocationList(o.DER)
			if err != nil {
				return fmt.Errorf("a revocation list in the channel: %w", err)
			}
			switch {
			case !bytes.Equal(parsed.RawIssuer, l.RawIssuer) || !bytes.Equal(parsed.AuthorityKeyId, l.AuthorityKeyId):
				kept = append(kept, o.PEM())
			case l.olderThan(parsed):
				return fmt.Errorf("%s: the channel has a later list of %q, of %s: have the CA issue one now", l.file, l.Issuer, parsed.ThisUpdate.Format(time.RFC3339))
			}
		}
	}
	f.RevocationList = append(kept, l.pem)
	return nil
}

// olderThan compares by the CRL number, and by time where a list has none (RFC 5280, section 5.2.3).
func (l *list) olderThan(other *x509.RevocationList) bool {
	if l.Number != nil && other.Number != nil {
		return l.Number.Cmp(other.Number) < 0
	}
	return l.ThisUpdate.Before(other.ThisUpdate)
}

func anchorPeers(addresses []string) (peers []*pb.AnchorPeer, err error) {
	for _, address := range addresses {
		host, port, err := splitAddress(address)
		if err != nil {
			return nil, err
		}
		peers = append(peers, &pb.AnchorPeer{Host: host, Port: int32(port)})
	}
	return peers, nil
}
