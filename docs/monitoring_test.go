// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"encoding/json"
	"go/ast"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const operationsGuide = "docs/operations.md"

// makesMetrics finds the files of ours that make metrics.
var makesMetrics = regexp.MustCompile(`metrics\.(Counter|Gauge|Histogram)Opts\{`)

// metric is a metric of ours.
type metric struct {
	kind   string // counter, gauge or histogram
	labels []string
}

// metrics reads the options that metrics are made from, by their names in Prometheus.
func metrics(t *testing.T) map[string]metric {
	t.Helper()
	found := map[string]metric{}
	for _, file := range files(t, ".go") {
		if !strings.HasSuffix(file, "_test.go") && makesMetrics.MatchString(read(t, file)) {
			addMetrics(t, file, found)
		}
	}
	if len(found) == 0 {
		t.Fatal("no metrics found")
	}
	return found
}

func addMetrics(t *testing.T, file string, found map[string]metric) {
	t.Helper()
	ast.Inspect(parseGo(t, file), func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		of, ok := lit.Type.(*ast.SelectorExpr)
		if !ok || !strings.HasSuffix(of.Sel.Name, "Opts") {
			return true
		}
		m := metric{kind: strings.ToLower(strings.TrimSuffix(of.Sel.Name, "Opts"))}
		var name [3]string
		for _, element := range lit.Elts {
			field := element.(*ast.KeyValueExpr)
			switch values := stringsIn(field.Value); field.Key.(*ast.Ident).Name {
			case "Namespace":
				name[0] = values[0]
			case "Subsystem":
				name[1] = values[0]
			case "Name":
				name[2] = values[0]
			case "LabelNames":
				m.labels = values
			}
		}
		found[strings.Join(name[:], "_")] = m
		return true
	})
}

func TestMetricsAreDocumented(t *testing.T) {
	for _, guide := range []string{operationsGuide, "docs/operations.zh-CN.md"} {
		real := metrics(t)
		var documented []string
		for _, row := range table(t, guide, "metrics") {
			name := code(row[0])[0]
			documented = append(documented, name)
			if m, ok := real[name]; ok && (row[1] != m.kind || !slices.Equal(code(row[2]), m.labels)) {
				t.Errorf("%s: %s is documented as %s with labels %q, it is a %s with %q", guide, name, row[1], code(row[2]), m.kind, m.labels)
			}
		}
		same(t, guide, documented, slices.Collect(maps.Keys(real)))
	}
}

// TestRoles: common/tlsstatus has every role, with its purpose, and the guides describe it.
func TestRoles(t *testing.T) {
	const list = "common/tlsstatus/roles.go"
	role := regexp.MustCompile(`^(peer|orderer|ca)\.[a-z.]+$`)
	ownRole := regexp.MustCompile(`(?m)\b[rR]ole\w*\s*=\s*"(peer|orderer|ca)\.`)
	constants := map[string]string{} // texts by names
	var classified []string
	ast.Inspect(parseGo(t, list), func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if texts := stringsIn(n); len(texts) == 1 && role.MatchString(texts[0]) {
				constants[n.Names[0].Name] = texts[0]
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && constants[key.Name] != "" {
				classified = append(classified, key.Name)
			}
		}
		return true
	})
	same(t, list+", Purposes", classified, slices.Collect(maps.Keys(constants)))
	for _, guide := range []string{operationsGuide, "docs/operations.zh-CN.md"} {
		var documented []string
		for _, row := range table(t, guide, "roles") {
			documented = append(documented, code(row[0])[0])
		}
		same(t, guide, documented, slices.Collect(maps.Values(constants)))
	}
	for _, file := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") || file == list {
			continue
		}
		source := read(t, file)
		if !strings.Contains(source, "internal/pkg/comm") && !strings.Contains(source, "common/fabhttp") {
			continue
		}
		ast.Inspect(parseGo(t, file), func(n ast.Node) bool {
			field, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			if key, ok := field.Key.(*ast.Ident); !ok || key.Name != "Role" {
				return true
			}
			if value, ok := field.Value.(*ast.SelectorExpr); ok {
				if from, ok := value.X.(*ast.Ident); ok && from.Name == "tlsstatus" {
					return true
				}
			}
			if _, ok := field.Value.(*ast.Ident); ok && !ownRole.MatchString(source) {
				return true // what a caller gives
			}
			t.Errorf("%s gives a role that is not one of %s", file, list)
			return true
		})
	}
}

var (
	quoted     = regexp.MustCompile(`"[^"]*"`)
	ranges     = regexp.MustCompile(`\[[^\]]*\]`)
	grouping   = regexp.MustCompile(`\b(by|without|on|ignoring)\s*\(([^)]*)\)`)
	selector   = regexp.MustCompile(`([a-z_]+)\{([^}]*)\}`)
	identifier = regexp.MustCompile(`[a-zA-Z_][a-zA-Z_0-9]*`)
)

// checkExpression finds the metrics and labels that a PromQL expression names. Besides ours, up is known.
func checkExpression(t *testing.T, where, expr string, known map[string]metric) {
	t.Helper()
	functions := []string{"sum", "min", "rate", "sort", "time", "histogram_quantile", "label_values"}
	resolve := func(name string) (metric, bool) {
		if m, ok := known[name]; ok {
			return m, true
		}
		m, ok := known[strings.TrimSuffix(name, "_bucket")]
		return metric{labels: append(slices.Clone(m.labels), "le")}, ok && m.kind == "histogram"
	}
	text := ranges.ReplaceAllString(quoted.ReplaceAllString(expr, ""), "")
	var grouped, labels []string
	for _, match := range grouping.FindAllStringSubmatch(text, -1) {
		grouped = append(grouped, identifier.FindAllString(match[2], -1)...)
	}
	text = grouping.ReplaceAllString(text, "")
	check := func(name string, m metric, used []string) {
		for _, label := range used {
			if label != "instance" && !slices.Contains(m.labels, label) {
				t.Errorf("%s: %s has no label %s", where, name, label)
			}
		}
	}
	for _, match := range selector.FindAllStringSubmatch(text, -1) {
		if m, ok := resolve(match[1]); ok {
			check(match[1], m, identifier.FindAllString(match[2], -1))
		}
	}
	text = selector.ReplaceAllString(text, "$1")
	named := 0
	for _, name := range identifier.FindAllString(text, -1) {
		if m, ok := resolve(name); ok {
			labels = append(labels, m.labels...)
			named++
		} else if name == "up" {
			named++
		} else if name != "instance" && !slices.Contains(functions, name) {
			t.Errorf("%s names %s, which is not a metric of ours", where, name)
		}
	}
	if named == 0 {
		t.Errorf("%s names no metric: %s", where, expr)
	}
	check("what is grouped", metric{labels: labels}, grouped)
}

func TestAlertRules(t *testing.T) {
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(read(t, "docs/monitoring/alerts.yaml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			alerts = append(alerts, rule.Alert)
			if rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("alert %s needs a summary and a severity", rule.Alert)
			}
			checkExpression(t, "alert "+rule.Alert, rule.Expr, metrics(t))
		}
	}
	if len(alerts) == 0 {
		t.Fatal("no alerts")
	}
	// The guide says what to do about each alert.
	row := regexp.MustCompile(`(?m)^\| (?:Alert|告警) ([A-Za-z]+(?:(?:, |、)[A-Z][A-Za-z]+)*)`)
	for _, guide := range []string{operationsGuide, "docs/operations.zh-CN.md"} {
		named := map[string]bool{} // an alert may have several rows
		for _, match := range row.FindAllStringSubmatch(read(t, guide), -1) {
			for _, name := range identifier.FindAllString(match[1], -1) {
				named[name] = true
			}
		}
		same(t, "alerts in "+guide, slices.Collect(maps.Keys(named)), alerts)
	}
}

func TestDashboard(t *testing.T) {
	var dashboard struct {
		Templating struct {
			List []struct{ Name, Query string }
		}
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "docs/monitoring/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	known, used := metrics(t), ""
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			checkExpression(t, "panel "+panel.Title, target.Expr, known)
			used += target.Expr
		}
	}
	for _, variable := range dashboard.Templating.List {
		if strings.HasPrefix(variable.Query, "label_values") {
			checkExpression(t, "variable "+variable.Name, variable.Query, known)
		}
	}
	for name := range known {
		if !strings.Contains(used, name) {
			t.Errorf("the dashboard shows nothing of %s", name)
		}
	}
}

// TestExpressionCheck: the checks above see what they are there to see.
func TestExpressionCheck(t *testing.T) {
	known := map[string]metric{"a_count_of": {kind: "counter", labels: []string{"role"}}, "a_time": {kind: "histogram"}}
	for expr, good := range map[string]bool{
		`sum by (role) (rate(a_count_of{role="x"}[5m])) > 0`: true,
		`histogram_quantile(0.9, rate(a_time_bucket[5m]))`:   true,
		`rate(a_count[5m])`:                 false,
		`a_count_of{rule="x"}`:              false,
		`sum by (rule) (a_count_of)`:        false,
		`rate(a_count_of_bucket[5m])`:       false,
		`1 > 0`:                             false,
		`sum by (role) (a_time_bucket) > 0`: false,
	} {
		inner := &testing.T{}
		checkExpression(inner, expr, expr, known)
		if inner.Failed() == good {
			t.Errorf("%s: accepted is %t, want %t", expr, !inner.Failed(), good)
		}
	}
}
