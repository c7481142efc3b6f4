// SPDX-License-Identifier: Apache-2.0

// Package policytext tells the policies of a channel's configuration in words. It serves programs of either generation of Fabric's messages, of
// which a program can link only one: it finds their types in the registry.
package policytext

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/hyperledger/fabric/common/loglimit"
)

// Bounds of what is told: a mention of a name takes few bytes in a policy, and many in the text.
const (
	maxText  = 16 << 10
	maxDepth = 32
)

var (
	errUnreadable = errors.New("cannot be decoded")
	errLong       = fmt.Errorf("takes more than %d characters to tell, or is nested more than %d deep", maxText, maxDepth)
)

// Text returns a policy in the words of configtx.yaml: MAJORITY "Admins", or OR("BankMSP.admin", "PortMSP.admin"). kind and value are the fields
// of a common.Policy. The error completes a sentence that begins with the policy's name.
func Text(kind int32, value []byte) (string, error) {
	switch kind {
	case 3: // IMPLICIT_META
		meta, err := decode("common.ImplicitMetaPolicy", value)
		if err != nil {
			return "", err
		}
		return meta.enum("rule") + " " + loglimit.Quoted(meta.get("sub_policy").String()), nil
	case 1: // SIGNATURE
		signed, err := decode("common.SignaturePolicyEnvelope", value)
		if err != nil {
			return "", err
		}
		w := writer{principals: signed.get("identities").List()}
		if err := w.rule(message{signed.get("rule").Message()}, 0); err != nil {
			return "", err
		}
		return w.String(), nil
	}
	return "", errors.New("is of a kind that is not known")
}

// message is one of either generation.
type message struct{ protoreflect.Message }

func decode(name protoreflect.FullName, data []byte) (message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		return message{}, fmt.Errorf("cannot be told: %w", err)
	}
	m := kind.New()
	if proto.Unmarshal(data, m.Interface()) != nil {
		return message{}, errUnreadable
	}
	return message{m}, nil
}

func (m message) field(name protoreflect.Name) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByName(name)
}

func (m message) has(name protoreflect.Name) bool               { return m.Has(m.field(name)) }
func (m message) get(name protoreflect.Name) protoreflect.Value { return m.Get(m.field(name)) }

// enum is the name of a field's value, or its number if it has no name.
func (m message) enum(name protoreflect.Name) string {
	number := m.get(name).Enum()
	if value := m.field(name).Enum().Values().ByNumber(number); value != nil {
		return string(value.Name())
	}
	return strconv.Itoa(int(number))
}

type writer struct {
	strings.Builder
	principals protoreflect.List
}

// rule writes a common.SignaturePolicy. It fails when there is too much of it.
func (w *writer) rule(rule message, depth int) error {
	if !rule.has("n_out_of") {
		if err := w.principal(rule); err != nil {
			return err
		}
		if w.Len() > maxText {
			return errLong
		}
		return nil
	}
	if depth == maxDepth {
		return errLong
	}
	outOf := message{rule.get("n_out_of").Message()}
	n, rules := outOf.get("n").Int(), outOf.get("rules").List()
	switch {
	case n == 1:
		w.WriteString("OR(")
	case n > 1 && int(n) == rules.Len():
		w.WriteString("AND(")
	default:
		fmt.Fprintf(w, "OutOf(%d of %d, ", n, rules.Len())
	}
	for i := range rules.Len() {
		if i > 0 {
			w.WriteString(", ")
		}
		if err := w.rule(message{rules.Get(i).Message()}, depth+1); err != nil {
			return err
		}
	}
	w.WriteString(")")
	return nil
}

// principal writes whose signature a rule wants. What has no name is told by its hash, so that no two are told alike.
func (w *writer) principal(rule message) error {
	i := rule.get("signed_by").Int()
	if !rule.has("signed_by") || i < 0 || int(i) >= w.principals.Len() {
		w.WriteString("nobody")
		return nil
	}
	principal := message{w.principals.Get(int(i)).Message()}
	data, kind := principal.get("principal").Bytes(), principal.enum("principal_classification")
	switch kind {
	case "ROLE":
		role, err := decode("common.MSPRole", data)
		if err != nil {
			return err
		}
		w.WriteString(loglimit.Quoted(role.get("msp_identifier").String() + "." + strings.ToLower(role.enum("role"))))
	case "ORGANIZATION_UNIT":
		unit, err := decode("common.OrganizationUnit", data)
		if err != nil {
			return err
		}
		w.WriteString("the unit " + loglimit.Quoted(unit.get("organizational_unit_identifier").String()) + " of " + loglimit.Quoted(unit.get("msp_identifier").String()))
		if issuer := unit.get("certifiers_identifier").Bytes(); len(issuer) > 0 {
			fmt.Fprintf(w, " by the CA %x", issuer)
		}
	case "IDENTITY":
		identity, err := decode("msp.SerializedIdentity", data)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "the identity of %s with sha256 %x", loglimit.Quoted(identity.get("mspid").String()), sha256.Sum256(data))
	default:
		fmt.Fprintf(w, "a principal of kind %s with sha256 %x", kind, sha256.Sum256(data))
	}
	return nil
}
