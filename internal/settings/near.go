// SPDX-License-Identifier: Apache-2.0

// Package settings finds misspelt names of settings. Fabric ignores keys and variables that it does not know, so that a
// typing error in one that protects connections would leave them unprotected without a word.
//
// Only names that are close to one of ours are refused. A name of stock Fabric's never is: tests compare all of them.
package settings

import (
	"fmt"
	"slices"
	"strings"
)

// Names are the settings of a program, as keys of its configuration file, and the prefix of the variables of the
// environment that stand for them: PREFIX and the key in capitals, with an underscore for each dot.
type Names struct {
	Prefix string
	Keys   []string
}

// CheckKeys refuses a key that is not one of the names and close to one of them, and a file that has settings of ours where nobody
// reads them. Keys are compared without regard to case.
func (n Names) CheckKeys(file string, keys []string) error {
	for _, key := range slices.Sorted(slices.Values(keys)) {
		if meant := nearestName(key, n.Keys, misplaced); meant != "" {
			return fmt.Errorf("%s has the key %s, which does not exist: write %s, or remove it", file, key, meant)
		}
	}
	return n.checkUnread(file)
}

// CheckEnvironment refuses a variable, of those that os.Environ returns, that has the prefix, is not one of the names and is
// close to one of them.
func (n Names) CheckEnvironment(environ []string) error {
	known := make([]string, len(n.Keys))
	for i, key := range n.Keys {
		known[i] = n.Prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
	}
	return checkVariables(environ, known, n.Prefix, misplaced)
}

// CheckVariables refuses a variable, of those that os.Environ returns, that has the prefix, is not one of the known ones and is
// close to one of them. Capitals matter, as they do to the system. An empty variable counts as not set.
func CheckVariables(environ, known []string, prefix string) error {
	return checkVariables(environ, known, prefix, func(string, string) bool { return false })
}

func checkVariables(environ, known []string, prefix string, related func(name, known string) bool) error {
	for _, variable := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" || slices.Contains(known, name) || !strings.HasPrefix(strings.ToUpper(name), prefix) {
			continue
		}
		bare := make([]string, len(known))
		for i, k := range known {
			bare[i] = strings.TrimPrefix(k, prefix)
		}
		meant := nearestName(name[len(prefix):], bare, related)
		if meant != "" {
			meant = prefix + meant
		}
		if upper := strings.ToUpper(name); slices.Contains(known, upper) {
			meant = upper
		}
		if meant != "" {
			return fmt.Errorf("the environment has the variable %s, which does not exist: write %s, or unset it", name, meant)
		}
	}
	return nil
}

// nearestName returns the known name that was probably meant by one that is not known, "" where it is known or nothing is close.
// What is misplaced is judged after what is mistyped.
func nearestName(name string, known []string, misplaced func(name, known string) bool) string {
	if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(name, k) }) {
		return ""
	}
	if slices.ContainsFunc(parts(name), func(part string) bool { return part == "sw" || part == "pkcs11" }) {
		return "" // stock Fabric's providers have the same settings as ours; "sw" is not a misspelt "gm"
	}
	mistyped := func(k string) bool { return distance(withoutSeparators(name), withoutSeparators(k)) <= tolerance(k) }
	if meant := nearest(name, known, mistyped); meant != "" {
		return meant
	}
	return nearest(name, known, func(k string) bool { return misplaced(name, k) })
}

// nearest returns the known name with the fewest changes of those that suit, the first of equals.
func nearest(name string, known []string, suits func(known string) bool) string {
	meant, least := "", 0
	for _, k := range known {
		if !suits(k) {
			continue
		}
		d := distance(withoutSeparators(name), withoutSeparators(k))
		if sameTail(parts(name), parts(k)) {
			d = 0
		}
		if meant == "" || d < least {
			meant, least = k, d
		}
	}
	return meant
}

// misplaced reports whether a name belongs to the known one though it is spelt otherwise: it names the same thing at another
// place (CORE_TLS_MODE, ORDERER_CLUSTER_MODE), or stands where all names are ours (peer.tls.gm.pair, CORE_PEER_TLS_GMSIGNCERT).
func misplaced(name, known string) bool {
	a, b := parts(name), parts(known)
	return sameTail(a, b) || ours(a) && ours(b)
}

// sameTail reports whether the last two parts are the same, in a section of channels.
func sameTail(a, b []string) bool {
	return len(a) >= 2 && len(b) >= 2 && slices.Contains([]string{"tls", "cluster"}, b[len(b)-2]) &&
		slices.Equal(a[len(a)-2:], b[len(b)-2:])
}

// ours reports whether a name is below a section of stock Fabric under a level that only this fork has.
func ours(parts []string) bool {
	for i, part := range parts {
		if i > 0 && strings.HasPrefix(part, "gm") && slices.Contains([]string{"tls", "cluster", "bccsp"}, parts[i-1]) {
			return true
		}
	}
	return false
}

// tolerance is how many typing errors a name of this length may have, to be still meant.
func tolerance(name string) int { return min(3, max(2, len(withoutSeparators(name))/6)) }

// withoutSeparators leaves out what separates words, which is the commonest confusion: client_mode, client-mode, clientMode.
func withoutSeparators(name string) string {
	return strings.NewReplacer(".", "", "_", "", "-", "").Replace(strings.ToLower(name))
}

func parts(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '.' || r == '_' })
}

// distance is the number of letters inserted, removed, changed or swapped with their neighbour between a and b (the optimal
// string alignment of Damerau and Levenshtein).
func distance(a, b string) int {
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
