// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"slices"

	"github.com/pkg/errors"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/hyperledger/fabric-ca/util"
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

// refuseTLCP refuses a setting of TLCP where it has no effect, as a flag, in the environment, in the configuration and in the files of further
// CAs: whoever sets it would take the connection for protected by it.
func (s *ServerCmd) refuseTLCP() error {
	if err := refuseTLCPIn("", s.myViper); err != nil {
		return err
	}
	files, err := util.NormalizeFileList(s.cfg.CAfiles, s.homeDirectory)
	if err != nil {
		return err
	}
	for _, file := range files {
		read := viper.New()
		read.SetConfigFile(file)
		if err := read.ReadInConfig(); err != nil {
			return errors.Wrapf(err, "reading %s", file)
		}
		if err := refuseTLCPIn(file+": ", read); err != nil {
			return err
		}
	}
	return nil
}

func refuseTLCPIn(place string, read *viper.Viper) error {
	for _, key := range slices.Sorted(slices.Values(read.AllKeys())) {
		if section := withoutTLCP.FindStringSubmatch(key); section != nil && read.GetString(key) != "" {
			return errors.Errorf("%s%s has no effect, as there is only TLS to a directory or a database: remove it, and use %s", place, key, tlsKeys[section[1]])
		}
	}
	return nil
}
