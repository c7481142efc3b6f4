// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sort"
	"strings"
)

// problems collects everything wrong with a delta, so that one run names all of it.
type problems struct {
	list []string
}

// add notes one problem. where is file:line of ours (or a file name).
func (p *problems) add(where, format string, args ...any) {
	p.list = append(p.list, where+": "+fmt.Sprintf(format, args...))
}

// err returns nil, or one error with a line for each problem, sorted.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	sort.Strings(p.list)
	var lines []string
	for i, l := range p.list {
		if i == 0 || l != p.list[i-1] {
			lines = append(lines, l)
		}
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}
