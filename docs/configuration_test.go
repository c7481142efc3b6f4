// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"fmt"
	"go/ast"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/internal/settings"
	"gopkg.in/yaml.v3"
)

const reference = "docs/configuration.md"

// sample returns the keys of a file of sampleconfig with their defaults as the file has them, empty for none.
func sample(t *testing.T, file string) map[string]string {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, "sampleconfig/"+file)), &doc); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	var walk func(prefix string, node *yaml.Node)
	walk = func(prefix string, node *yaml.Node) {
		switch {
		case node.Kind == yaml.MappingNode:
			for i := 0; i+1 < len(node.Content); i += 2 {
				walk(strings.TrimPrefix(prefix+"."+node.Content[i].Value, "."), node.Content[i+1])
			}
		case node.Kind == yaml.SequenceNode && len(node.Content) == 0:
			keys[prefix] = "[]"
		case node.Kind == yaml.ScalarNode:
			keys[prefix] = node.Value
		default:
			t.Fatalf("%s: %s has a form that the documentation has no way to show", file, prefix)
		}
	}
	walk("", doc.Content[0])
	return keys
}

func TestNodeKeys(t *testing.T) {
	for file, prefix := range map[string]string{"core.yaml": "CORE_", "orderer.yaml": "ORDERER_"} {
		keys := sample(t, file)
		var documented []string
		for _, row := range table(t, reference, file) {
			if len(row) != 4 || len(code(row[0])) != 1 {
				t.Fatalf("%s: row %q: want key, default, environment, meaning", file, row)
			}
			key := code(row[0])[0]
			documented = append(documented, key)
			if want := keys[key]; strings.Join(code(row[1]), "") != want {
				t.Errorf("%s: %s: default is documented as %q, sampleconfig has %q", file, key, row[1], want)
			}
			if want := prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_")); strings.Join(code(row[2]), "") != want {
				t.Errorf("%s: %s: environment is documented as %q, want %q", file, key, row[2], want)
			}
		}
		same(t, file, documented, slices.Collect(maps.Keys(keys)))
	}
}

// TestNamesToMisspell: the names that misspelt ones are compared with are all that there are, and no others. The peer command has
// some for the orderer, which are in no file.
func TestNamesToMisspell(t *testing.T) {
	for file, names := range map[string]settings.Names{"core.yaml": settings.Core, "orderer.yaml": settings.Orderer} {
		own := slices.DeleteFunc(slices.Clone(names.Keys), func(key string) bool { return strings.HasPrefix(key, "orderer.") })
		same(t, "internal/settings/names.go, "+file, own, slices.Collect(maps.Keys(sample(t, file))))
	}
}

// TestCoreKeysAreRead: core.yaml is read by name, so a key exists if our code names it, and what it names has to be in
// sampleconfig. Names may be behind a prefix (tlsconfig serves peer and orderer), or in a chain of literals.
func TestCoreKeysAreRead(t *testing.T) {
	ours := regexp.MustCompile(`^(peer|operations|chaincode)?\.?(operators|authentication\.timewindow|tls\.(mode|clientMode|drainGrace|handshakesPerAddress|checkRevocation|revocationLists\.files|gm\.(cipherSuites|protocols|clientProtocol|hybridKeyExchange)|gm\.[a-zA-Z]+\.file))$`)
	keys := sample(t, "core.yaml")
	var named []string
	for _, file := range []string{
		"core/config/tlsconfig/tlsconfig.go", "core/config/tlsconfig/source.go", "internal/peer/node/tls_gm.go",
		"internal/peer/common/tls_gm.go", "cmd/peer/health_gm.go", "core/config/tlsconfig/peer.go", "core/handlers/library/timewindow_fix.go",
	} {
		named = append(named, stringsIn(parseGo(t, file))...)
	}
	for _, name := range named {
		if !ours.MatchString(name) {
			continue
		}
		suffix := "." + strings.TrimPrefix(name, ".")
		if !slices.ContainsFunc(slices.Collect(maps.Keys(keys)), func(key string) bool { return strings.HasSuffix("."+key, suffix) }) {
			t.Errorf("the code reads %s, which sampleconfig/core.yaml does not have", name)
		}
	}
	for key := range keys {
		if strings.Contains(key, ".BCCSP.") {
			continue // decoded into a struct: TestStructFields
		}
		if !slices.ContainsFunc(named, func(name string) bool {
			name = strings.TrimPrefix(name, ".")
			return strings.HasSuffix("."+key, "."+name) && (ours.MatchString(name) || strings.HasSuffix(name, ".file"))
		}) {
			t.Errorf("sampleconfig/core.yaml has %s, which no code of ours reads", key)
		}
	}
}

// fields lists the fields of a struct by the name that tag gives them, or by their own.
func fields(t *testing.T, file, name, tag string) []string {
	t.Helper()
	var list []string
	ast.Inspect(parseGo(t, file), func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			for _, ident := range field.Names {
				if !ident.IsExported() {
					continue
				}
				label := ident.Name
				if field.Tag != nil && tag != "" {
					text, err := strconv.Unquote(field.Tag.Value)
					if err != nil {
						t.Fatal(err)
					}
					if value, _, _ := strings.Cut(reflect.StructTag(text).Get(tag), ","); value != "" {
						label = value
					}
				}
				list = append(list, label)
			}
		}
		return false
	})
	if len(list) == 0 {
		t.Fatalf("%s has no struct %s", file, name)
	}
	return list
}

// TestStructFields: orderer.yaml and our part of BCCSP are decoded into structs.
func TestStructFields(t *testing.T) {
	const localconfig, factory = "orderer/common/localconfig/tls_gm.go", "bccsp/factory/gmfactory.go"
	keys := slices.Collect(maps.Keys(sample(t, "orderer.yaml")))
	tls, cluster := fields(t, localconfig, "TLS", ""), fields(t, localconfig, "Cluster", "")
	provider := append(slices.DeleteFunc(fields(t, factory, "GmOpts", "yaml"), func(f string) bool { return f == "FileKeyStore" }),
		"FileKeyStore.KeyStore", "FileKeyStore.PasswordFile")
	if n := len(fields(t, factory, "GmFileKeystoreOpts", "yaml")); n != 2 {
		t.Errorf("BCCSP.GM.FileKeyStore has %d fields, the documentation 2", n)
	}
	bccsp := slices.DeleteFunc(fields(t, "bccsp/factory/factory_gm.go", "FactoryOpts", "yaml"), func(f string) bool { return f == "GM" })
	bccsp = append(bccsp, prefixed("GM.", provider)...)
	listening := slices.DeleteFunc(slices.Clone(tls), func(f string) bool { // no other section dials
		return f == "ClientMode" || f == "GMClientProtocol"
	})
	for section, want := range map[string][]string{
		"General.TLS":     tls,
		"General.Cluster": cluster,
		"Operations.TLS":  listening,
		"Admin.TLS":       listening,
		"General.BCCSP":   bccsp,
		"Operations": append(prefixed("TLS.", listening),
			fields(t, localconfig, "Operations", "")...),
	} {
		same(t, "sampleconfig/orderer.yaml and the struct of "+section, below(keys, section), want)
	}
	same(t, "sampleconfig/core.yaml and the struct of peer.BCCSP", below(slices.Collect(maps.Keys(sample(t, "core.yaml"))), "peer.BCCSP"),
		bccsp)
}

func prefixed(prefix string, names []string) []string {
	var list []string
	for _, name := range names {
		list = append(list, prefix+name)
	}
	return list
}

// below lists what is under a section, without its name.
func below(keys []string, section string) []string {
	var list []string
	for _, key := range keys {
		if rest, ok := strings.CutPrefix(key, section+"."); ok {
			list = append(list, rest)
		}
	}
	return list
}

// column collects the code of the first cells of a table.
func column(t *testing.T, name string) []string {
	t.Helper()
	var list []string
	for _, row := range table(t, reference, name) {
		list = append(list, code(row[0])...)
	}
	return list
}

func TestCryptoConfigAndConnectionJSON(t *testing.T) {
	same(t, "crypto-config.yaml", column(t, "crypto-config.yaml"), fields(t, "cmd/cryptogen/gm.go", "OrgSpec", "yaml"))
	same(t, "connection.json", column(t, "connection.json"),
		fields(t, "core/container/externalbuilder/instance_gm.go", "ChaincodeServerUserData", "json"))
}

func TestChaincodeEnvironment(t *testing.T) {
	variable := regexp.MustCompile(`^(CHAINCODE|CORE)_[A-Z_]+$`)
	found := map[string]bool{}
	for _, file := range []string{"pkg/gmshim/env.go", "pkg/gmshim/launched.go"} {
		for _, text := range stringsIn(parseGo(t, file)) {
			if variable.MatchString(text) {
				found[text] = true
			}
		}
	}
	same(t, "environment of chaincode", column(t, "gmshim"), slices.Collect(maps.Keys(found)))
}

func TestProfile(t *testing.T) {
	const file = "pkg/gmgateway/profile.go"
	want := []string{"name", "client.organization"}
	for prefix, name := range map[string]string{
		"client.identity.": "Identity", "client.tls.": "TLS", "organizations.*.": "Organization", "peers.*.": "Peer",
	} {
		want = append(want, prefixed(prefix, fields(t, file, name, "yaml"))...)
	}
	want = slices.DeleteFunc(want, func(f string) bool { return f == "peers.*.grpcOptions" })
	want = append(want, prefixed("peers.*.grpcOptions.", fields(t, file, "GRPCOptions", "yaml"))...)
	if got := len(fields(t, file, "Profile", "yaml")) + len(fields(t, file, "Client", "yaml")); got != 4+3 {
		t.Errorf("Profile and Client have %d fields: adapt this test", got)
	}
	same(t, "connection profile", column(t, "profile"), want)
}

// TestFlags finds the flags that our code adds to the commands: calls of kingpin's Flag and of pflag's VarP functions.
func TestFlags(t *testing.T) {
	var real []string
	for file, command := range map[string]string{
		"cmd/cryptogen/gm.go": "cryptogen", "cmd/osnadmin/tls_gm.go": "osnadmin", "cmd/common/cli_gm.go": "discover",
		"internal/peer/common/tls_gm.go": "peer",
	} {
		ast.Inspect(parseGo(t, file), func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			at := -1
			switch {
			case selector.Sel.Name == "Flag":
				at = 0
			case strings.HasSuffix(selector.Sel.Name, "VarP"):
				at = 1
			}
			if at < 0 {
				return true
			}
			// A name that is not a literal is one of a hidden flag, which only says how this command spells it.
			if name := stringsIn(call.Args[at]); len(name) > 0 {
				real = append(real, fmt.Sprintf("%s --%s", command, name[0]))
			}
			return true
		})
	}
	for _, text := range stringsIn(parseGo(t, "internal/health/health.go")) {
		if strings.HasPrefix(text, "--") {
			real = append(real, "peer "+text, "orderer "+text)
		}
	}
	var documented []string
	for _, row := range table(t, reference, "flags") {
		for _, command := range code(row[0]) {
			documented = append(documented, command+" "+code(row[1])[0])
		}
	}
	same(t, "flags", documented, real)
}
