// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	// chartFolder is where published charts lie, beside the document.
	chartFolder = "performance"
	// publishedCharts is how many charts of a section are published: the first.
	publishedCharts = 1
)

// publishCommand writes the reports that there are into a document, between a pair of markers for each, and their charts
// beside it.
func publishCommand(_ context.Context, args []string, progress io.Writer) error {
	set := newFlags("publish", progress)
	dir := set.String("dir", filepath.Join("build", "bench"), "folder of the reports")
	document := set.String("into", filepath.Join("docs", "performance.md"), "document with the markers")
	if err := parse(set, args); err != nil {
		return err
	}
	text, err := os.ReadFile(*document)
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	published := 0
	for _, name := range []string{"report", "scale"} {
		r, err := readReport(filepath.Join(*dir, name+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if text, err = replaceBetween(text, name, "\n"+lowered(r.document(chartFolder+"/", publishedCharts))+"\n"); err != nil {
			return fmt.Errorf("%s: %w", *document, err)
		}
		if err := r.writeCharts(filepath.Join(filepath.Dir(*document), chartFolder), publishedCharts); err != nil {
			return err
		}
		published++
	}
	if published == 0 {
		return fmt.Errorf("there is no report in %s: make one with make bench", *dir)
	}
	if err := os.WriteFile(*document, text, 0o644); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

func readReport(file string) (*Report, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	r := &Report{}
	if err := json.Unmarshal(content, r); err != nil || len(r.Sections) == 0 {
		return nil, fmt.Errorf("%s is not a report: %v", file, err)
	}
	for _, s := range r.Sections {
		for _, c := range s.Charts {
			if c.File != path.Base(c.File) {
				return nil, fmt.Errorf("%s is not a report: a chart would be written to %q", file, c.File)
			}
		}
	}
	return r, nil
}

// replaceBetween puts text between the lines <!-- name --> and <!-- /name -->.
func replaceBetween(document []byte, name, text string) ([]byte, error) {
	before, rest, found := strings.Cut(string(document), "<!-- "+name+" -->\n")
	_, after, ended := strings.Cut(rest, "<!-- /"+name+" -->")
	if !found || !ended {
		return nil, fmt.Errorf("no lines <!-- %s --> and <!-- /%s --> to write between", name, name)
	}
	return []byte(before + "<!-- " + name + " -->\n" + text + "<!-- /" + name + " -->" + after), nil
}

// lowered makes headings one level smaller, to stand below one of the document.
func lowered(markdown string) string {
	lines := strings.SplitAfter(markdown, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "#") {
			lines[i] = "#" + l
		}
	}
	return strings.Join(lines, "")
}
