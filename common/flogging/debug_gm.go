// SPDX-License-Identifier: Apache-2.0

//fork:file perf: arguments are formatted when a line is logged

package flogging

// line is written as upstream's formatArgs writes it, but only when it is logged.
type line []any

func (l line) String() string { return formatArgs(l) }

// Debug logs its arguments, separated by blanks, at level debug.
//
//fork:replace perf: upstream formats the arguments although the level is off, which took 2.7 % of a network's CPU time
func (f *FabricLogger) Debug(args ...any) { f.s.Debugf("%s", line(args)) }
