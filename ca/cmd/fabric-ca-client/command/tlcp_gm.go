// SPDX-License-Identifier: Apache-2.0

package command

import (
	"path/filepath"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric-ca/api"
	"github.com/hyperledger/fabric-ca/lib"
)

// runEnroll enrolls an identity.
//
//fork:wrap gm: profile tlcp returns the two certificates of TLCP, as files
func (c *enrollCmd) runEnroll(cmd *cobra.Command, args []string) error {
	cfg := c.GetClientCfg()
	if cfg.Enrollment.Profile != api.ProfileTLCP {
		return c.upstreamRunEnroll(cmd, args)
	}
	_, err := cfg.Enroll(cfg.URL, filepath.Dir(c.GetCfgFileName()))
	return err
}

// runReenroll renews an identity.
//
//fork:wrap gm: profile tlcp renews a TLCP pair
func (c *ClientCmd) runReenroll() error {
	cfg := c.clientCfg
	if cfg.Enrollment.Profile != api.ProfileTLCP {
		return c.upstreamRunReenroll()
	}
	client := lib.Client{HomeDir: filepath.Dir(c.cfgFileName), Config: cfg}
	id, err := client.LoadPairHolder()
	if err != nil {
		return err
	}
	err = id.ReenrollTLCP(&api.ReenrollmentRequest{Label: cfg.Enrollment.Label, CSR: &cfg.CSR, CAName: cfg.CAName})
	return errors.WithMessagef(err, "renewing the TLCP pair of %s", id.GetName())
}
