// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/pkg/errors"
	"github.com/spf13/viper"

	"github.com/hyperledger/fabric-ca/lib"
	"github.com/hyperledger/fabric-ca/lib/server/operations"
	"github.com/hyperledger/fabric-ca/util"
	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/settings"
)

// configInit reads the configuration.
//
//fork:wrap fix: misspelt settings of TLCP are errors; operations.tls.clientAuthRequired and .clientRootCAs of the configuration that upstream writes, and the provider of keys in the environment, have an effect
func (s *ServerCmd) configInit() error {
	if err := s.upstreamConfigInit(); err != nil || s.cfg == nil {
		return err
	}
	if err := s.refuseTLCP(); err != nil {
		return err
	}
	if err := s.misspelt(); err != nil {
		return err
	}
	if err := s.provider(&s.cfg.CAcfg); err != nil {
		return err
	}
	if err := s.providersOfMore(&s.cfg.CAcfg); err != nil {
		return err
	}
	return s.operationsTLS(&s.cfg.Operations.TLS)
}

// configTemplate is the configuration that the first start writes, with the validity of revocation lists that is the default.
func configTemplate() string {
	return strings.Replace(defaultCfgTemplate, "\n  expiry: 24h\n", "\n  expiry: 720h\n", 1)
}

// misspelt refuses misspelt settings, of all files that the server reads.
func (s *ServerCmd) misspelt() error {
	more, err := util.NormalizeFileList(s.cfg.CAfiles, s.homeDirectory)
	if err != nil {
		return err
	}
	return util.CheckSettings(settings.CAServer, append([]string{s.cfgFileName}, more...)...)
}

// provider takes the provider of keys and its password file from the environment too. Upstream takes from there only what the configuration
// file has as well, and keys would then be stored without encryption.
func (s *ServerCmd) provider(c *lib.CAConfig) error {
	name, file := s.myViper.GetString("bccsp.default"), s.myViper.GetString("bccsp.gm.filekeystore.passwordfile")
	if file != "" && name != factory.GMBasedFactoryName {
		return errors.Errorf("bccsp.gm.filekeystore.passwordfile is set, but bccsp.default is %q: keys would not be encrypted; set bccsp.default to %s",
			name, factory.GMBasedFactoryName)
	}
	if file == "" && c.CSP != nil || name != factory.GMBasedFactoryName {
		return nil
	}
	if c.CSP == nil {
		c.CSP = &factory.FactoryOpts{}
	}
	c.CSP.Default = name
	if c.CSP.GM == nil {
		c.CSP.GM = &factory.GmOpts{}
	}
	if c.CSP.GM.FileKeystore == nil {
		c.CSP.GM.FileKeystore = &factory.GmFileKeystoreOpts{}
	}
	c.CSP.GM.FileKeystore.PasswordFile = file
	return nil
}

// providersOfMore refuses further CAs whose files name a provider that does not encrypt keys, where the keys of the first CA are encrypted. A
// file that names no provider has that of the first CA; the environment has no effect on the others.
func (s *ServerCmd) providersOfMore(first *lib.CAConfig) error {
	files, err := util.NormalizeFileList(s.cfg.CAfiles, s.homeDirectory)
	if err != nil {
		return err
	}
	encrypts := first.CSP != nil && first.CSP.GM != nil && first.CSP.GM.FileKeystore != nil && first.CSP.GM.FileKeystore.PasswordFile != ""
	for _, file := range files {
		read := viper.New()
		read.SetConfigFile(file)
		if err := read.ReadInConfig(); err != nil {
			return errors.Wrapf(err, "reading %s", file)
		}
		if !read.IsSet("bccsp") {
			continue
		}
		name, password := read.GetString("bccsp.default"), read.GetString("bccsp.gm.filekeystore.passwordfile")
		switch {
		case password != "" && name != factory.GMBasedFactoryName:
			return errors.Errorf("%s has bccsp.gm.filekeystore.passwordfile, but its bccsp.default is %q: keys would not be encrypted; set bccsp.default to %s",
				file, name, factory.GMBasedFactoryName)
		case encrypts && password == "":
			return errors.Errorf("the keys of the first CA are encrypted, but %s has bccsp.default %q without bccsp.gm.filekeystore.passwordfile: its keys would not be encrypted; take the section bccsp out of it, or set both",
				file, name)
		}
	}
	return nil
}

// operationsTLS completes the settings of the operations server.
func (s *ServerCmd) operationsTLS(c *operations.TLS) error {
	if comm.ServerMode(c.Mode) == comm.ModeGM {
		c.CertFile, c.KeyFile = "", ""
	}
	if s.myViper.GetBool("operations.tls.clientauthrequired") {
		c.ClientCertRequired = true
	}
	c.ClientCACertFiles = append(c.ClientCACertFiles, s.myViper.GetStringSlice("operations.tls.clientrootcas.files")...)
	for i := range c.ClientCACertFiles {
		if err := util.MakeFileNamesAbsolute([]*string{&c.ClientCACertFiles[i]}, s.homeDirectory); err != nil {
			return err
		}
	}
	return c.GM.Absolute(s.homeDirectory)
}
