// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/operations"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	files "github.com/hyperledger/fabric/common/crypto/material"
)

// inventory is the operator's description of nodes, nodes.yaml. Paths in it are
// relative to its folder.
type inventory struct {
	Organizations map[string]*organization `yaml:"organizations"` // by MSP id
}

// organization is one organisation's part of the inventory.
type organization struct {
	Client          operations.Access `yaml:"client"`
	GMTLSRoots      []string          `yaml:"gmTLSRoots"`      // files with the SM2 roots of its TLCP pairs
	GMIdentityRoots []string          `yaml:"gmIdentityRoots"` // files with the SM2 roots of its identities
	Nodes           map[string]*node  `yaml:"nodes"`           // by name

	tlsRoots, identityRoots []*x509.Certificate
}

// node is an orderer or peer.
type node struct {
	Operations string `yaml:"operations"` // host and port of its operations service
	Address    string `yaml:"address"`    // host and port of its service, as other nodes dial it
	SignCert   string `yaml:"signCert"`   // a consenter's SM2 signing certificate, to be put into the channel
	// ClientSignCert is that by which a consenter dials others, if it is not SignCert.
	ClientSignCert string `yaml:"clientSignCert"`

	name, org        string
	sign, clientSign []*x509.Certificate
}

// loadInventory reads and checks the file.
func loadInventory(file string) (*inventory, error) {
	inv := new(inventory)
	if err := material.ReadYAML(file, inv); err != nil {
		return nil, err
	}
	if err := inv.complete(filepath.Dir(file)); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return inv, nil
}

// complete checks the inventory and loads the certificates that it names.
func (inv *inventory) complete(dir string) error {
	if len(inv.Organizations) == 0 {
		return errors.New("organizations is empty")
	}
	owner := map[string]string{}
	for _, id := range sortedKeys(inv.Organizations) {
		org := inv.Organizations[id]
		if org == nil || len(org.Nodes) == 0 {
			return fmt.Errorf("organizations.%s has no nodes", id)
		}
		if err := org.complete(id, dir); err != nil {
			return fmt.Errorf("organizations.%s.%w", id, err)
		}
		for name := range org.Nodes {
			if other, taken := owner[name]; taken {
				return fmt.Errorf("the node %s is under both %s and %s", name, other, id)
			}
			owner[name] = id
		}
	}
	return nil
}

func (o *organization) complete(id, dir string) error {
	for _, list := range [][]string{o.GMTLSRoots, o.GMIdentityRoots} {
		for i := range list {
			list[i] = operations.Resolve(dir, list[i])
		}
	}
	if err := o.Client.Complete(dir); err != nil {
		return err
	}
	var err error
	if o.tlsRoots, err = loadAll("gmTLSRoots", o.GMTLSRoots); err != nil {
		return err
	}
	if o.identityRoots, err = loadAll("gmIdentityRoots", o.GMIdentityRoots); err != nil {
		return err
	}
	for name, n := range o.Nodes {
		if n == nil {
			return fmt.Errorf("nodes.%s is empty", name)
		}
		n.name, n.org = name, id
		for key, value := range map[string]string{"operations": n.Operations, "address": n.Address} {
			if host, port, err := net.SplitHostPort(value); err != nil || host == "" || port == "" {
				return fmt.Errorf("nodes.%s.%s is %q, which is not HOST:PORT", name, key, value)
			}
		}
		if err := n.load(dir); err != nil {
			return fmt.Errorf("nodes.%s.%w", name, err)
		}
	}
	return nil
}

// load loads the node's certificates.
func (n *node) load(dir string) (err error) {
	if n.SignCert = operations.Resolve(dir, n.SignCert); n.SignCert != "" {
		if n.sign, err = loadAll("signCert", []string{n.SignCert}); err != nil {
			return err
		}
	}
	if n.ClientSignCert = operations.Resolve(dir, n.ClientSignCert); n.ClientSignCert != "" {
		n.clientSign, err = loadAll("clientSignCert", []string{n.ClientSignCert})
	}
	return err
}

// signingFile is the file that goes into the side's field of a consenter, with its certificates.
func (n *node) signingFile(of side) (name string, certs []*x509.Certificate) {
	if of == asClient && n.ClientSignCert != "" {
		return n.ClientSignCert, n.clientSign
	}
	return n.SignCert, n.sign
}

func loadAll(key string, names []string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for _, name := range names {
		certs, err := files.ReadCertificates(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		for _, c := range certs {
			all = append(all, c.Certificate)
		}
	}
	return all, nil
}

// nodes lists all nodes, by organisation and name.
func (inv *inventory) nodes() []*node {
	var all []*node
	for _, id := range sortedKeys(inv.Organizations) {
		for _, name := range sortedKeys(inv.Organizations[id].Nodes) {
			all = append(all, inv.Organizations[id].Nodes[name])
		}
	}
	return all
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
