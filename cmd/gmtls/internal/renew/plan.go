// SPDX-License-Identifier: Apache-2.0

// Package renew implements gmtls renew, which renews the identities, TLCP pairs and TLS certificates of nodes before they end. It runs
// fabric-ca-client to enrol new certificates, reloads or restarts one node after the other, and checks at the operations services that the
// nodes use them. docs/ca.md describes the plan.
package renew

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/operations"
)

// defaultWithin is how long before its end a certificate is renewed.
const defaultWithin = 30 * 24 * time.Hour

// plan is the operator's file, renew.yaml. Names of files in it are relative to its folder.
type plan struct {
	// Client is the program fabric-ca-client; one without a slash is looked for in PATH.
	Client string        `yaml:"client"`
	Within time.Duration `yaml:"within"`
	Nodes  []*node       `yaml:"nodes"` // in the order in which they are renewed and restarted
}

// node is a peer or orderer.
type node struct {
	Name       string            `yaml:"name"`
	Operations string            `yaml:"operations"` // host and port of its operations service
	Access     operations.Access `yaml:"client"`
	Identity   *identity         `yaml:"identity"`
	Pair       *pair             `yaml:"pair"`
	TLS        *tlsCertificate   `yaml:"tls"`
	// Reload makes the node read its pair and its certificate of TLS again. Without it that is asked of its operations service.
	Reload []string `yaml:"reload"`
	// Restart ends the node and starts it again; a new identity counts from then on.
	Restart []string `yaml:"restart"`
}

// identity is the node's identity of its MSP.
type identity struct {
	Home  string   `yaml:"home"`  // of fabric-ca-client
	MSP   string   `yaml:"msp"`   // folder with signcerts; absent: msp in Home
	Flags []string `yaml:"flags"` // further flags of fabric-ca-client reenroll
}

// pair is the TLCP pair of the node's listeners.
type pair struct {
	Home  string   `yaml:"home"`
	Dir   string   `yaml:"dir"` // folder of the files; absent: tls in Home
	Flags []string `yaml:"flags"`
	// KeepKeys renews the certificates only. Orderers need it: other consenters know them by the key.
	KeepKeys bool `yaml:"keepKeys"`
}

// tlsCertificate is the certificate of TLS of the node's listeners, enrolled with profile tls.
type tlsCertificate struct {
	Home     string   `yaml:"home"`
	MSP      string   `yaml:"msp"`  // folder that profile tls was enrolled into; absent: tls-msp in Home
	Cert     string   `yaml:"cert"` // files of the node; fabric-ca-client names the key by itself, so it is copied
	Key      string   `yaml:"key"`
	Flags    []string `yaml:"flags"`
	KeepKeys bool     `yaml:"keepKeys"`
}

// loadPlan reads and checks the file.
func loadPlan(file string) (*plan, error) {
	p := &plan{Client: "fabric-ca-client", Within: defaultWithin}
	if err := material.ReadYAML(file, p); err != nil {
		return nil, err
	}
	if err := p.complete(filepath.Dir(file)); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func (p *plan) complete(dir string) error {
	if p.Within <= 0 {
		return fmt.Errorf("within is %s; it must be positive", p.Within)
	}
	if filepath.Base(p.Client) != p.Client {
		p.Client = operations.Resolve(dir, p.Client)
	}
	if len(p.Nodes) == 0 {
		return errors.New("nodes is empty")
	}
	names := map[string]bool{}
	for i, n := range p.Nodes {
		if n == nil || n.Name == "" {
			return fmt.Errorf("nodes[%d] has no name", i)
		}
		if names[n.Name] {
			return fmt.Errorf("the node %s is there twice", n.Name)
		}
		names[n.Name] = true
		if err := n.complete(dir); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	return nil
}

func (n *node) complete(dir string) error {
	if host, port, err := net.SplitHostPort(n.Operations); err != nil || host == "" || port == "" {
		return fmt.Errorf("operations is %q, which is not HOST:PORT", n.Operations)
	}
	if err := n.Access.Complete(dir); err != nil {
		return err
	}
	if n.Identity == nil && n.Pair == nil && n.TLS == nil {
		return errors.New("it has neither identity nor pair nor tls")
	}
	if id := n.Identity; id != nil {
		if id.Home == "" || len(n.Restart) == 0 {
			return errors.New("identity needs identity.home and restart: a new identity counts after a restart only")
		}
		id.Home = operations.Resolve(dir, id.Home)
		if id.MSP == "" {
			id.MSP = filepath.Join(id.Home, "msp")
		}
		id.MSP = operations.Resolve(dir, id.MSP)
	}
	if p := n.Pair; p != nil {
		if p.Home == "" {
			return errors.New("pair.home is missing")
		}
		p.Home = operations.Resolve(dir, p.Home)
		if p.Dir == "" {
			p.Dir = filepath.Join(p.Home, "tls")
		}
		p.Dir = operations.Resolve(dir, p.Dir)
	}
	if c := n.TLS; c != nil {
		if c.Home == "" || c.Cert == "" || c.Key == "" {
			return errors.New("tls needs tls.home, tls.cert and tls.key")
		}
		if c.MSP == "" {
			c.MSP = filepath.Join(c.Home, "tls-msp")
		}
		for _, name := range []*string{&c.Home, &c.MSP, &c.Cert, &c.Key} {
			*name = operations.Resolve(dir, *name)
		}
	}
	return nil
}
