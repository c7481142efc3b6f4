// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mergeYAML writes the keys of ours into upstream's text and returns the result. Text of both, comments included,
// stays as written, apart from indentation, which follows upstream's. A mapping in both is merged key by key; any
// other value of ours takes the place of upstream's. touched lists
// the upstream values so replaced.
func mergeYAML(upstream, ours []byte) (merged []byte, touched []yamlTouch, err error) {
	up, err := yamlRoot(upstream)
	if err != nil {
		return nil, nil, fmt.Errorf("upstream's file: %w", err)
	}
	own, err := yamlRoot(ours)
	if err != nil {
		return nil, nil, fmt.Errorf("our file: %w", err)
	}
	m := &yamlMerge{up: splitLines(upstream), own: splitLines(ours)}
	if err := m.mapping(up, own, ""); err != nil {
		return nil, nil, err
	}
	offsets := lineOffsets(m.up)
	for i := range m.edits {
		m.edits[i].start, m.edits[i].end = offsets[m.edits[i].start], offsets[m.edits[i].end]
	}
	merged, err = applyEdits([]byte(strings.Join(m.up, "")), m.edits)
	if err != nil {
		return nil, nil, err
	}
	return merged, m.touched, checkMerge(upstream, ours, merged)
}

// yamlMerge collects edits whose start and end are line numbers (from 0) of upstream's text.
type yamlMerge struct {
	up, own []string
	edits   []edit
	touched []yamlTouch
}

// yamlTouch is an upstream value that one of ours takes the place of.
type yamlTouch struct {
	path string // a.b.c
	line int    // in our file
	text string // upstream's lines
}

func yamlRoot(text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("holds no mapping at its top")
	}
	return doc.Content[0], nil
}

func splitLines(text []byte) []string {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(append([]byte(nil), text...), '\n')
	}
	lines := strings.SplitAfter(string(text), "\n")
	return lines[:len(lines)-1]
}

func lineOffsets(lines []string) []int {
	offsets := make([]int, len(lines)+1)
	for i, l := range lines {
		offsets[i+1] = offsets[i] + len(l)
	}
	return offsets
}

func (m *yamlMerge) mapping(up, own *yaml.Node, path string) error {
	for i := 0; i < len(own.Content); i += 2 {
		key, value := own.Content[i], own.Content[i+1]
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		upKey, upValue := lookup(up, key.Value)
		where := fmt.Sprintf("line %d: %s", key.Line, name)
		switch {
		case own.Style == yaml.FlowStyle:
			return fmt.Errorf("%s: write mappings in block style, one key a line", where)
		case upKey == nil && up.Style == yaml.FlowStyle:
			return fmt.Errorf("%s: upstream writes the mapping around it in flow style, which cannot take further keys", where)
		case upKey == nil:
			m.insert(up, key)
		case upValue.Kind == yaml.AliasNode:
			return fmt.Errorf("%s: upstream's value is an alias; override it at the anchor", where)
		case upValue.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode && len(upValue.Content) > 0:
			if err := m.mapping(upValue, value, name); err != nil {
				return err
			}
		default:
			start, end := upKey.Line-1, entryEnd(m.up, upKey.Line-1, upKey.Column-1)
			m.touched = append(m.touched, yamlTouch{name, key.Line, strings.Join(m.up[start:end], "")})
			m.edits = append(m.edits, edit{start, end, m.text(key, upKey.Column-1, false), where})
		}
	}
	return nil
}

func lookup(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// insert adds our entry behind the last one of upstream's mapping.
func (m *yamlMerge) insert(up, key *yaml.Node) {
	last := up.Content[len(up.Content)-2]
	indent := last.Column - 1
	at := entryEnd(m.up, last.Line-1, indent)
	for at < len(m.up) && isComment(m.up[at]) && indentOf(m.up[at]) >= indent && indent > 0 {
		at++ // comments that trail the last entry
	}
	m.edits = append(m.edits, edit{at, at, m.text(key, indent, true), fmt.Sprintf("line %d", key.Line)})
}

// text returns our entry's lines, with the comments above it if asked, indented as upstream indents.
func (m *yamlMerge) text(key *yaml.Node, indent int, comments bool) string {
	own := key.Column - 1
	start := key.Line - 1
	for comments && start > 0 && (isComment(m.own[start-1]) && indentOf(m.own[start-1]) == own) {
		start--
	}
	var out strings.Builder
	if comments && start > 0 && strings.TrimSpace(m.own[start-1]) == "" {
		out.WriteString("\n")
	}
	for _, line := range m.own[start:entryEnd(m.own, key.Line-1, own)] {
		if strings.TrimSpace(line) == "" {
			out.WriteString("\n")
			continue
		}
		out.WriteString(strings.Repeat(" ", indent) + line[min(own, indentOf(line)):])
	}
	return out.String()
}

// entryEnd returns the line behind the entry whose key stands on line start at the given indentation: behind the
// last line that is indented deeper, or that continues it as a list at the key's own indentation.
func entryEnd(lines []string, start, indent int) int {
	end := start + 1
	for i := start + 1; i < len(lines); i++ {
		trimmed := strings.TrimSpace(lines[i])
		if trimmed == "" || isComment(lines[i]) {
			continue
		}
		deep := indentOf(lines[i])
		inList := deep == indent && strings.HasPrefix(trimmed, "- ") && !strings.HasPrefix(strings.TrimSpace(lines[start]), "- ")
		if deep <= indent && !inList {
			break
		}
		end = i + 1
	}
	return end
}

func isComment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// checkMerge compares the values in the merged text with those that merging the parsed values gives: the guard
// against a text edit that lands in the wrong place.
func checkMerge(upstream, ours, merged []byte) error {
	var values [3]map[string]any
	for i, text := range [][]byte{upstream, ours, merged} {
		root, err := yamlRoot(text)
		if err != nil {
			return fmt.Errorf("the merged text is not valid YAML: %w", err)
		}
		values[i] = plain(root).(map[string]any)
	}
	if !reflect.DeepEqual(mergeValues(values[0], values[1]), values[2]) {
		return fmt.Errorf("the merged text does not hold the values of both files; write the keys in upstream's order and style")
	}
	return nil
}

// plain turns a node into maps, slices and strings. Aliases and merge keys stay as they are written.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			out[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, c := range n.Content {
			out = append(out, plain(c))
		}
		return out
	case yaml.AliasNode:
		return "alias " + n.Value
	default:
		return n.Tag + " " + n.Value
	}
}

func mergeValues(up, own map[string]any) map[string]any {
	for k, v := range own {
		upMap, ok1 := up[k].(map[string]any)
		ownMap, ok2 := v.(map[string]any)
		if ok1 && ok2 && len(upMap) > 0 {
			v = mergeValues(upMap, ownMap)
		}
		up[k] = v
	}
	return up
}
