// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-config/protolator"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/policytext"
)

// differences says in words how two configurations differ, without leaving anything out: what cannot be put into words is named by its hash.
func differences(before, after *cb.ConfigGroup) ([]string, error) {
	d := &difference{}
	d.group([]string{channelconfig.ChannelGroupKey}, before, after)
	if len(d.lines) == 0 {
		return nil, ErrUnchanged
	}
	return d.lines, nil
}

type difference struct{ lines []string }

func (d *difference) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// group compares a group of that path. before is nil for a new one.
func (d *difference) group(path []string, before, after *cb.ConfigGroup) {
	name := "/" + strings.Join(path, "/")
	if before == nil {
		d.add("%s is new", name)
	}
	had := len(d.lines)
	d.modPolicy(name, before.GetModPolicy(), after.ModPolicy)
	for _, key := range union(before.GetValues(), after.Values) {
		old, fresh := before.GetValues()[key], after.Values[key]
		d.modPolicy(name+" "+key, old.GetModPolicy(), fresh.GetModPolicy())
		if !bytes.Equal(old.GetValue(), fresh.GetValue()) || (old == nil) != (fresh == nil) {
			d.value(name+" "+key, decodeValue(path, key, old), decodeValue(path, key, fresh))
		}
	}
	for _, key := range union(before.GetPolicies(), after.Policies) {
		old, fresh := before.GetPolicies()[key], after.Policies[key]
		d.modPolicy(name+" policy "+key, old.GetModPolicy(), fresh.GetModPolicy())
		if !proto.Equal(old.GetPolicy(), fresh.GetPolicy()) {
			d.leaf(name+" policy "+key, policyText(old), policyText(fresh))
		}
	}
	for _, key := range union(before.GetGroups(), after.Groups) {
		place := append(slices.Clone(path), key)
		if after.Groups[key] == nil {
			d.add("/%s goes", strings.Join(place, "/"))
			continue
		}
		d.group(place, before.GetGroups()[key], after.Groups[key])
	}
	if before != nil && before.Version != after.Version && len(d.lines) == had {
		d.add("%s is written again", name)
	}
}

func (d *difference) modPolicy(name, old, fresh string) {
	if old != fresh {
		d.leaf(name+", whom changes need", old, fresh)
	}
}

// leaf says how one text becomes another.
func (d *difference) leaf(name, old, fresh string) {
	switch {
	case old == "":
		d.add("%s: + %s", name, fresh)
	case fresh == "":
		d.add("%s: - %s", name, old)
	default:
		d.add("%s: %s, before %s", name, fresh, old)
	}
}

// value compares decoded values.
func (d *difference) value(name string, old, fresh any) {
	had := len(d.lines)
	d.compare(name, old, fresh)
	if len(d.lines) == had {
		d.add("%s: written again, in another form", name)
	}
}

func (d *difference) compare(name string, old, fresh any) {
	oldMap, _ := old.(map[string]any)
	freshMap, _ := fresh.(map[string]any)
	if a, b := text(old), text(fresh); a+b == "{}" || a+b == "[]" { // a capability has nothing but its name
		d.leaf(name, a, b)
		return
	}
	if oldMap != nil || freshMap != nil {
		for _, key := range union(oldMap, freshMap) {
			d.compare(name+"."+key, oldMap[key], freshMap[key])
		}
		return
	}
	oldList, was := old.([]any)
	freshList, is := fresh.([]any)
	if was || is {
		d.list(name, texts(oldList), texts(freshList))
		return
	}
	if a, b := text(old), text(fresh); a != b {
		d.leaf(name, a, b)
	}
}

// list compares lists by their elements.
func (d *difference) list(name string, old, fresh []string) {
	had, rest := len(d.lines), slices.Clone(old)
	for _, element := range fresh {
		if i := slices.Index(rest, element); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			continue
		}
		d.leaf(name, "", element)
	}
	for _, element := range rest {
		d.leaf(name, element, "")
	}
	if len(d.lines) == had && !slices.Equal(old, fresh) {
		d.add("%s: in another order", name)
	}
}

func texts(list []any) (all []string) {
	for _, element := range list {
		all = append(all, text(element))
	}
	return all
}

// words are a value that could not be decoded.
type words string

// text is an element of a value in words; empty: there is none.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return fieldText(v)
	case words:
		return string(v)
	case map[string]any:
		var parts []string
		for _, key := range sortedKeys(v) {
			parts = append(parts, key+" "+text(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		return "[" + strings.Join(texts(v), ", ") + "]"
	}
	return fmt.Sprint(v)
}

// fieldText names the certificates and lists that a field in Base64 has. Other texts are quoted.
func fieldText(v string) string {
	data, err := base64.StdEncoding.DecodeString(v)
	if err != nil || !bytes.Contains(data, []byte("-----BEGIN ")) {
		return fmt.Sprintf("%q", v)
	}
	file, err := material.Parse("field", data)
	if err != nil || len(file.Keys) > 0 {
		return opaque(data)
	}
	var parts []string
	for _, c := range file.Certificates {
		parts = append(parts, fmt.Sprintf("certificate of %q by %q until %s, sha256 %x", c.Subject, c.Issuer, c.NotAfter.Format(time.DateOnly), sha256.Sum256(c.Raw)))
	}
	lists, err := parseLists("field", file.Lists)
	if err != nil {
		return opaque(data)
	}
	for _, l := range lists {
		parts = append(parts, fmt.Sprintf("revocation list of %q, number %v, of %s, with %d entries, sha256 %x",
			l.Issuer, l.Number, l.ThisUpdate.Format(time.DateOnly), len(l.RevokedCertificateEntries), sha256.Sum256(l.DER)))
	}
	return strings.Join(parts, " and ")
}

func opaque(data []byte) string {
	return fmt.Sprintf("%d bytes that cannot be read, sha256 %x", len(data), sha256.Sum256(data))
}

// decodeValue decodes a value of the group of that path as configtxlator does.
func decodeValue(path []string, key string, value *cb.ConfigValue) any {
	if value == nil {
		return nil
	}
	group := &cb.ConfigGroup{Values: map[string]*cb.ConfigValue{key: {Value: value.Value}}}
	for _, name := range slices.Backward(path[1:]) {
		group = &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{name: group}}
	}
	var out bytes.Buffer
	var decoded map[string]any
	if protolator.DeepMarshalJSON(&out, &cb.Config{ChannelGroup: group}) != nil || json.Unmarshal(out.Bytes(), &decoded) != nil {
		return words(opaque(value.Value))
	}
	at, _ := decoded["channel_group"].(map[string]any)
	for _, name := range path[1:] {
		groups, _ := at["groups"].(map[string]any)
		at, _ = groups[name].(map[string]any)
	}
	values, _ := at["values"].(map[string]any)
	at, _ = values[key].(map[string]any)
	if at["value"] == nil {
		return words(opaque(value.Value))
	}
	return at["value"]
}

// policyText is the rule of a policy, or what it is known by if that cannot be told; empty: there is no policy.
func policyText(p *cb.ConfigPolicy) string {
	policy := p.GetPolicy()
	if policy == nil {
		return ""
	}
	text, err := policytext.Text(policy.Type, policy.Value)
	if err != nil {
		return fmt.Sprintf("one of type %d that %v, sha256 %x", policy.Type, err, sha256.Sum256(policy.Value))
	}
	return text
}

// union is the keys of both, in order.
func union[V any](a, b map[string]V) []string {
	keys := append(sortedKeys(a), sortedKeys(b)...)
	slices.Sort(keys)
	return slices.Compact(keys)
}
