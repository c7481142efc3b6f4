// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/idemix"
	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// nestedPrincipal has part at the bottom of so many combined principals. It is written from its end, where each length is known.
func nestedPrincipal(part *m.MSPPrincipal, depth int) *m.MSPPrincipal {
	var backwards []byte
	before := func(header []byte) {
		slices.Reverse(header)
		backwards = append(backwards, header...)
	}
	before(bytes.Clone(part.Principal))
	class := part.PrincipalClassification
	for range depth {
		before(protowire.AppendVarint([]byte{1 << 3, byte(class), 2<<3 | 2}, uint64(len(backwards))))
		before(protowire.AppendVarint([]byte{1<<3 | 2}, uint64(len(backwards))))
		class = m.MSPPrincipal_COMBINED
	}
	slices.Reverse(backwards)
	return &m.MSPPrincipal{PrincipalClassification: class, Principal: backwards}
}

func role(t *testing.T, name string, role m.MSPRole_MSPRoleType) *m.MSPPrincipal {
	t.Helper()
	encoded, err := proto.Marshal(&m.MSPRole{MspIdentifier: name, Role: role})
	require.NoError(t, err)
	return &m.MSPPrincipal{PrincipalClassification: m.MSPPrincipal_ROLE, Principal: encoded}
}

// anonymous returns an Idemix identity, with material of the library's own tests.
func anonymous(t *testing.T) (MSP, Identity) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/IBM/idemix").Output()
	require.NoError(t, err)
	config, err := idemix.GetIdemixMspConfigWithType(filepath.Join(strings.TrimSpace(string(dir)), "testdata/idemix/MSP1OU1"), "TestMSP", idemix.IDEMIX)
	require.NoError(t, err)
	made, err := New(&IdemixNewOpts{NewBaseOpts: NewBaseOpts{Version: MSPv1_4_3}}, nil)
	require.NoError(t, err)
	require.NoError(t, made.Setup(config))
	signer, err := made.GetDefaultSigningIdentity()
	require.NoError(t, err)
	return made, signer.GetPublicVersion()
}

// TestNestedPrincipals: a principal of 200 KB takes about as much memory, and the verdict is that of what it holds.
func TestNestedPrincipals(t *testing.T) {
	root := newRoot(t, familySM2, "root")
	target := mustSetup(t, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(credential{})})
	member, err := received(t, target, root.issue(t, familySM2, template(t, "client", "client")))
	require.NoError(t, err)
	idemixMSP, idemixMember := anonymous(t)

	judges := map[string]func(*m.MSPPrincipal) error{
		"X.509":      member.SatisfiesPrincipal,
		"Idemix":     idemixMember.SatisfiesPrincipal,
		"Idemix MSP": func(p *m.MSPPrincipal) error { return idemixMSP.SatisfiesPrincipal(idemixMember, p) },
	}
	yes, no := nestedPrincipal(role(t, "TestMSP", m.MSPRole_MEMBER), 20_000), nestedPrincipal(role(t, "OtherMSP", m.MSPRole_MEMBER), 20_000)
	require.Greater(t, len(yes.Principal), 150_000)
	for name, judge := range judges {
		require.NoError(t, judge(role(t, "TestMSP", m.MSPRole_MEMBER)), name) // what is computed once
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.NoError(t, judge(yes), name)
		require.Error(t, judge(no), name)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), name) // one level after another takes 2 GB
	}
}

// TestPartsOfPrincipals: what a principal consists of, and whether it is one, is what a parser of one level after another finds.
func TestPartsOfPrincipals(t *testing.T) {
	field := func(tag uint64, content string) string {
		return string(protowire.AppendBytes(protowire.AppendVarint(nil, tag), []byte(content)))
	}
	const combined, unit = "\x08\x04", "\x08\x01"
	a, b := field(10, unit+field(18, "a")), field(10, field(18, "b"))
	cases := map[string]string{
		"nothing": "", "one": a, "two": a + b, "an empty one": field(10, ""),
		"nested":                     field(10, combined+field(18, a+b)) + b,
		"nested, then more":          b + field(10, combined+field(18, field(10, combined+field(18, a)))) + a,
		"nested nothing":             a + field(10, combined),
		"nested nothing but unknown": field(10, combined+field(18, field(26, a))),
		"nested, cut off":            a + field(10, combined+field(18, a[:len(a)-1])),
		"cut off":                    a[:len(a)-1],
		"the last content counts":    field(10, combined+field(18, "\xff")+field(18, a)),
		"the last, empty content":    field(10, combined+field(18, a)+field(18, "")),
		"the last class counts":      field(10, combined+unit+field(18, "\xff")),
		"class of 64 bits":           field(10, "\x08\x84\x80\x80\x80\x10"+field(18, a)),
		"negative class":             field(10, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		"class of 65 bits":           field(10, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
		"class in a longer form":     field(10, "\x08\x84\x00"+field(18, a)),
		"class as bytes":             field(10, field(10, "\x04")+field(18, "a")),
		"content as number":          field(10, unit+"\x10\x01"),
		"principal as number":        "\x08\x01" + a,
		"group":                      a + "\x0b\x0c", "group without an end": a + "\x0b", "end without a group": a + "\x0c", "other end": a + "\x0b\x14",
		"field 0": a + field(2, ""), "wire type 6": a + "\x0e", "largest field": a + field(1<<32-6, ""), "larger field": a + field(1<<32+2, ""),
		"tag in a longer form": "\x8a\x00" + a[1:],
	}
	groups := strings.Repeat("\x0b", 10_001) + strings.Repeat("\x0c", 10_001)
	cases["deep groups"], cases["as deep as it goes"] = a+groups, a+groups[1:len(groups)-1]
	for name, content := range cases {
		want, wantErr := reference([]byte(content))
		got, err := partsOf([]byte(content))
		require.Equal(t, wantErr != nil, err != nil, "%s: %v, %v", name, wantErr, err)
		if err == nil {
			require.ElementsMatch(t, describe(want), describe(got), name)
		}
	}
}

func describe(principals []*m.MSPPrincipal) (all []string) {
	for _, p := range principals {
		all = append(all, p.PrincipalClassification.String()+" "+string(bytes.Clone(p.Principal)))
	}
	return all
}

// reference parses one level after another.
func reference(content []byte) (parts []*m.MSPPrincipal, err error) {
	level := &m.CombinedPrincipal{}
	if err := proto.Unmarshal(content, level); err != nil {
		return nil, err
	}
	if len(level.Principals) == 0 {
		return nil, errors.New("no parts")
	}
	for _, p := range level.Principals {
		below := []*m.MSPPrincipal{p}
		if p.PrincipalClassification == m.MSPPrincipal_COMBINED {
			if below, err = reference(p.Principal); err != nil {
				return nil, err
			}
		}
		parts = append(parts, below...)
	}
	return parts, nil
}
