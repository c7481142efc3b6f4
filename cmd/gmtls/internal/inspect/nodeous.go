// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	files "github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/mspfolder"
)

// ou is an organisational unit, with the CA that may put it into certificates.
type ou struct {
	Certificate string `yaml:"Certificate"` // file; empty: any CA
	Identifier  string `yaml:"OrganizationalUnitIdentifier"`
}

// mspConfig is config.yaml of an MSP.
type mspConfig struct {
	OUs     []ou `yaml:"OrganizationalUnitIdentifiers"`
	NodeOUs struct {
		Enable  bool `yaml:"Enable"`
		Client  ou   `yaml:"ClientOUIdentifier"`
		Peer    ou   `yaml:"PeerOUIdentifier"`
		Admin   ou   `yaml:"AdminOUIdentifier"`
		Orderer ou   `yaml:"OrdererOUIdentifier"`
	} `yaml:"NodeOUs"`
}

// unit is an organisational unit that an identity may have.
type unit struct {
	name      string
	certifier *x509.Certificate // nil: any CA
}

// holds reports whether a certificate has the unit from its certifier.
func (u unit) holds(c *x509.Certificate) bool {
	return slices.Contains(c.Subject.OrganizationalUnit, u.name) &&
		(u.certifier == nil || bytes.Equal(c.RawIssuer, u.certifier.RawSubject) && x509.CheckSignatureFrom(c, u.certifier) == nil)
}

// checkOUs checks config.yaml, if there is one, against the CAs and the
// identities.
func (r *Report) checkOUs(m *mspFolder) {
	name := filepath.Join(m.dir, "config.yaml")
	data, err := material.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.found(name, cause.Find(cause.Unparsable, "%v", err))
		return
	}
	if config, ok := r.parseConfig(name, data); ok {
		r.checkConfig(name, config, m)
	}
}

func (r *Report) parseConfig(name string, data []byte) (*mspConfig, bool) {
	config := new(mspConfig)
	if err := yaml.Unmarshal(data, config); err != nil {
		r.found(name, cause.Find(cause.Unparsable, "%s", loglimit.Printable(strings.Join(strings.Fields(err.Error()), " "))))
		return nil, false
	}
	return config, true
}

func (r *Report) checkConfig(name string, config *mspConfig, m *mspFolder) {
	var listed, roles []unit
	for _, o := range config.OUs {
		if u, ok := r.unit(name, m, o, true); ok {
			listed = append(listed, u)
		}
	}
	if config.NodeOUs.Enable {
		for _, o := range []ou{config.NodeOUs.Client, config.NodeOUs.Peer, config.NodeOUs.Admin, config.NodeOUs.Orderer} {
			if u, ok := r.unit(name, m, o, false); ok && o.Identifier != "" {
				roles = append(roles, u)
			}
		}
	}
	if len(m.admins) == 0 && (len(roles) == 0 || config.NodeOUs.Admin.Identifier == "") {
		r.found(m.dir, cause.Find(cause.MSPIncomplete, "there is neither config.yaml with NodeOUs and an AdminOUIdentifier nor a certificate in admincerts"))
	}
	for _, i := range certified(slices.Concat(m.signers, m.admins)) {
		r.checkUnits(i, listed, roles)
	}
	for _, i := range certified(m.admins) {
		if len(roles) > 0 && !slices.Contains(i.cert.Subject.OrganizationalUnit, config.NodeOUs.Admin.Identifier) &&
			!slices.Contains(i.cert.Subject.OrganizationalUnit, config.NodeOUs.Client.Identifier) {
			r.found(i.Where, cause.Find(cause.NodeOUs, "%q in admincerts is neither admin nor client", i.Cert.Subject))
		}
	}
}

// checkUnits checks that an identity has one of the units listed and just one
// role.
func (r *Report) checkUnits(i *Item, listed, roles []unit) {
	held := func(units []unit) (n int) {
		for _, u := range units {
			if u.holds(i.cert) {
				n++
			}
		}
		return n
	}
	names := func(units []unit) string {
		var names []string
		for _, u := range units {
			names = append(names, u.name)
		}
		return loglimit.Printable(strings.Join(names, ", "))
	}
	if len(listed) > 0 && held(listed) == 0 {
		r.found(i.Where, cause.Find(cause.NodeOUs, "%q has none of the OrganizationalUnitIdentifiers %s from their CA", i.Cert.Subject, names(listed)))
	}
	switch n := held(roles); {
	case len(roles) == 0 || n == 1:
	case n == 0:
		r.found(i.Where, cause.Find(cause.NodeOUs, "%q has none of the OUs %s from their CA", i.Cert.Subject, names(roles)))
	default:
		r.found(i.Where, cause.Find(cause.NodeOUs, "%q has %d of the OUs %s and may have one", i.Cert.Subject, n, names(roles)))
	}
}

// unit finds the CA of a unit, which must be one of the MSP's. Of a role whose
// file is missing a node takes any CA, of a listed unit it takes none.
func (r *Report) unit(config string, m *mspFolder, o ou, listed bool) (unit, bool) {
	u := unit{name: o.Identifier}
	if o.Certificate == "" && !listed {
		return u, true
	}
	certs, err := files.ReadCertificates(filepath.Join(m.dir, o.Certificate))
	missing := errors.Is(err, os.ErrNotExist)
	switch {
	case missing && !listed && !mspfolder.ServesSM2(m.dir):
		r.found(config, cause.Warn(cause.MSPIncomplete, "%s is named for the OU %s and is not there, so any CA may vouch for it",
			loglimit.Printable(o.Certificate), loglimit.Printable(o.Identifier)))
		return u, true
	case err != nil:
		r.found(config, cause.Find(cause.MSPIncomplete, "%s, named for the OU %s, cannot be read: %s", loglimit.Printable(o.Certificate),
			loglimit.Printable(o.Identifier), loglimit.Printable(err.Error())))
		return u, false
	}
	for _, c := range certsOf(slices.Concat(m.roots, m.intermediates)) {
		if bytes.Equal(c.Raw, certs[0].Raw) {
			u.certifier = c
			return u, true
		}
	}
	r.found(config, cause.Find(cause.NodeOUs, "%s, named for the OU %s, is not one of the certificates in cacerts and intermediatecerts",
		loglimit.Printable(o.Certificate), loglimit.Printable(o.Identifier)))
	return u, false
}
