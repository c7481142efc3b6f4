// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestNormalised checks that what go fix rewrites counts as the same, and that nothing else does.
func TestNormalised(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		same     bool
	}{
		"layout and comments": {"func f() {\n\n\treturn // x\n}", "func f() { return }", true},
		"any":                 {"func f(a interface{}, b map[string]interface{})", "func f(a any, b map[string]any)", true},
		"interface of method": {"type t interface{ M() }", "type t any", false},
		"ioutil":              {"x, err := ioutil.ReadFile(n)", "x, err := os.ReadFile(n)", true},
		"ioutil, renamed":     {"ioutil.TempDir(a, b)", "os.MkdirTemp(a, b)", true},
		"ioutil, io":          {"ioutil.ReadAll(r)", "io.ReadAll(r)", true},
		"ioutil.ReadDir":      {"ioutil.ReadDir(n)", "os.ReadDir(n)", false}, // other types
		"another package":     {"ioutil.ReadFile(n)", "afs.ReadFile(n)", false},
		"imports":             {"package p\nimport (\n\t\"io/ioutil\"\n\tx \"fmt\"\n)\n", "package p\nimport (\n\tx \"fmt\"\n\t\"os\"\n)\n", true},
		"one import":          {"package p\nimport \"io/ioutil\"\n", "package p\nimport \"os\"\n", true},
		"import of fmt":       {"package p\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n", "package p\nimport (\n\t\"os\"\n)\n", false},
		"a text, no import":   {"x = f(\"os\")", "x = f(\"io\")", false},
		"TypeFor, pointer":    {"reflect.TypeOf((*a.B)(nil)).Elem()", "reflect.TypeFor[a.B]()", true},
		"TypeFor, empty":      {"reflect.TypeOf((*interface{})(nil)).Elem()", "reflect.TypeFor[any]()", true},
		"TypeFor, value":      {"reflect.TypeOf(time.Time{})", "reflect.TypeFor[time.Time]()", true},
		"TypeFor, other type": {"reflect.TypeOf(time.Time{})", "reflect.TypeFor[time.Duration]()", false},
		"TypeOf of a pointer": {"reflect.TypeOf((*a.B)(nil))", "reflect.TypeFor[a.B]()", false},
	} {
		old, err := normalised([]byte(c.old))
		if err != nil {
			t.Fatal(name, err)
		}
		new, err := normalised([]byte(c.new))
		if err != nil {
			t.Fatal(name, err)
		}
		if (old == new) != c.same {
			t.Errorf("%s: %q and %q", name, old, new)
		}
	}
}
