// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hyperledger/fabric/internal/wireform"
)

// collectPrincipals returns the principals that an identity has to satisfy to satisfy the given one. A member may nest combined ones as
// deep as a transaction has place for, and each level is bytes of the level above: whoever parses one level after another copies the rest at each.
//
//fork:replace fix: a nested principal takes memory by its size, and not by the square of its size
func collectPrincipals(principal *m.MSPPrincipal, mspVersion MSPVersion) ([]*m.MSPPrincipal, error) {
	if principal.PrincipalClassification != m.MSPPrincipal_COMBINED {
		return []*m.MSPPrincipal{principal}, nil
	}
	if mspVersion <= MSPv1_1 {
		return nil, errors.New("MSPs of version 1.1 and before know no combined principals")
	}
	return partsOf(principal.Principal)
}

// partsOf returns the principals of a combined one and of those nested in it, which are left out themselves. Their order means nothing,
// as all have to be satisfied. They share the memory of the combined one.
func partsOf(combined []byte) ([]*m.MSPPrincipal, error) {
	var parts []*m.MSPPrincipal
	for levels := [][]byte{combined}; len(levels) > 0; {
		last := len(levels) - 1
		level := levels[last]
		levels = levels[:last]
		found := 0
		err := eachField(level, func(number protowire.Number, kind protowire.Type, value []byte) error {
			if number != 1 || kind != protowire.BytesType { // principals
				return nil
			}
			found++
			content, _ := protowire.ConsumeBytes(value)
			part, err := sharedPrincipal(content)
			switch {
			case err != nil:
				return err
			case part.PrincipalClassification == m.MSPPrincipal_COMBINED:
				levels = append(levels, part.Principal)
			default:
				parts = append(parts, part)
			}
			return nil
		})
		if err != nil {
			return nil, errors.Wrap(err, "a combined principal is malformed")
		}
		if found == 0 {
			return nil, errors.New("a combined principal has no parts")
		}
	}
	return parts, nil
}

// sharedPrincipal decodes a principal without a copy of its content.
func sharedPrincipal(encoded []byte) (*m.MSPPrincipal, error) {
	principal := &m.MSPPrincipal{}
	err := eachField(encoded, func(number protowire.Number, kind protowire.Type, value []byte) error {
		switch {
		case number == 1 && kind == protowire.VarintType:
			class, _ := protowire.ConsumeVarint(value)
			principal.PrincipalClassification = m.MSPPrincipal_Classification(class)
		case number == 2 && kind == protowire.BytesType:
			principal.Principal, _ = protowire.ConsumeBytes(value)
		}
		return nil
	})
	return principal, err
}

// eachField calls do with each field of an encoded message. It refuses what proto.Unmarshal refuses: the verdict on a transaction depends on it.
func eachField(message []byte, do func(protowire.Number, protowire.Type, []byte) error) error {
	return wireform.Each(message, func(number protowire.Number, kind protowire.Type, value []byte) error {
		if number > protowire.MaxValidNumber {
			return errors.Errorf("there is no field %d", number)
		}
		return do(number, kind, value)
	})
}

// SatisfiesPrincipal asks the library of Idemix, which parses one level after another.
//
//fork:wrap fix: the library of Idemix gets no nested principal
func (i *idemixMSPWrapper) SatisfiesPrincipal(id Identity, principal *m.MSPPrincipal) error {
	flat, err := flatten(principal)
	if err != nil {
		return err
	}
	return i.upstreamSatisfiesPrincipal(id, flat)
}

// SatisfiesPrincipal asks the library, whose identities do not know the MSP around theirs.
func (i *idemixIdentityWrapper) SatisfiesPrincipal(principal *m.MSPPrincipal) error {
	flat, err := flatten(principal)
	if err != nil {
		return err
	}
	return i.Idemixidentity.SatisfiesPrincipal(flat)
}

// flatten makes one level of a nested principal.
func flatten(principal *m.MSPPrincipal) (*m.MSPPrincipal, error) {
	if principal.PrincipalClassification != m.MSPPrincipal_COMBINED {
		return principal, nil
	}
	parts, err := partsOf(principal.Principal)
	if err != nil {
		return nil, err
	}
	flat, err := proto.Marshal(&m.CombinedPrincipal{Principals: parts})
	return &m.MSPPrincipal{PrincipalClassification: m.MSPPrincipal_COMBINED, Principal: flat}, err
}
