// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"slices"

	"github.com/pkg/errors"
	"github.com/spf13/pflag"
)

// withoutTLCP are settings of connections to others than a CA, which have no TLCP. Upstream makes a flag of each field of their struct, which is
// that of connections to a CA.
var withoutTLCP = regexp.MustCompile(`^(ldap|db)\.tls\.(mode|gm.*)$`)

// tlsKeys are those by which these connections are TLS.
var tlsKeys = map[string]string{
	"ldap": "ldap.url, which begins with ldaps:// for TLS, and ldap.tls.certfiles",
	"db":   "db.tls.enabled and db.tls.certfiles",
}

// registerFlags makes the flags.
//
//fork:wrap fix: the help does not list settings of TLCP for the connections to a directory and a database, which have none
func (s *ServerCmd) registerFlags() {
	s.upstreamRegisterFlags()
	s.rootCmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = f.Hidden || withoutTLCP.MatchString(f.Name) })
}

// refuseTLCP refuses a setting of TLCP where it has no effect, as a flag, in the environment and in the configuration: whoever sets it would
// take the connection for protected by it.
func (s *ServerCmd) refuseTLCP() error {
	for _, key := range slices.Sorted(slices.Values(s.myViper.AllKeys())) {
		if section := withoutTLCP.FindStringSubmatch(key); section != nil && s.myViper.GetString(key) != "" {
			return errors.Errorf("%s has no effect, as there is only TLS to a directory or a database: remove it, and use %s", key, tlsKeys[section[1]])
		}
	}
	return nil
}
