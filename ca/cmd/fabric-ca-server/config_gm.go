// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/hyperledger/fabric-ca/lib/server/operations"
	"github.com/hyperledger/fabric-ca/util"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// configInit reads the configuration.
//
//fork:wrap fix: operations.tls.clientAuthRequired and .clientRootCAs of the configuration that upstream writes have an effect
func (s *ServerCmd) configInit() error {
	if err := s.upstreamConfigInit(); err != nil || s.cfg == nil {
		return err
	}
	return s.operationsTLS(&s.cfg.Operations.TLS)
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
