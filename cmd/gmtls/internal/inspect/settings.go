// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	files "github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/mspfolder"
)

// Settings is what the configuration of a node says about its cryptography.
type Settings struct {
	Kind   string
	Strict bool     // BCCSP.GM.Strict
	Plain  []string // addresses without protection that others than this machine reach, each with the key that protects it
	Keys   []KeyFile
}

// KeyFile is a private key that a node's configuration leads to.
type KeyFile struct {
	Name                string
	InDevice, Encrypted bool
}

// NodeSettings reads the configurations in a folder, that of a peer, of an orderer, or both, as the nodes do, with their environment.
func NodeSettings(path string) (all []*Settings, err error) {
	for _, kind := range nodeKinds {
		config, err := readNode(path, kind)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(config.twice) > 0 {
			return nil, fmt.Errorf("%s: %s, and nodes differ in which one they use", config.file, config.twice[0])
		}
		s := &Settings{Kind: kind.name}
		strict := kind.bccsp + ".GM.Strict"
		if s.Strict, err = config.isOn(strict); err != nil {
			return nil, fmt.Errorf("%s: %w", config.at(strict), err)
		}
		names, err := mspfolder.Files(filepath.Join(config.path(kind.msp), mspfolder.KeyStore))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.msp, err)
		}
		for _, section := range kind.sections {
			on, err := config.isOn(section.enabled)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", config.at(section.enabled), err)
			}
			if address := config.text(section.address); !on && !onThisMachine(address) {
				s.Plain = append(s.Plain, address+" ("+section.enabled+")")
			}
			for _, p := range section.pairs {
				for _, key := range []string{p.key, p.encKey} {
					if name := config.path(key); p.gm() && config.text(key) != "" {
						names = append(names, name)
					}
				}
			}
		}
		for _, name := range names {
			key, err := keyFile(name)
			if err != nil {
				return nil, err
			}
			s.Keys = append(s.Keys, key)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds neither core.yaml nor orderer.yaml", path)
	}
	return all, nil
}

func keyFile(name string) (KeyFile, error) {
	file, err := files.Read(name)
	if err != nil {
		return KeyFile{}, err
	}
	if len(file.Keys) == 0 {
		return KeyFile{}, fmt.Errorf("%s: there is no private key in it", name)
	}
	return KeyFile{Name: name, InDevice: file.Keys[0].InDevice(), Encrypted: file.Keys[0].Encrypted()}, nil
}

// onThisMachine reports whether an address is a loopback one, or none. What is given as a port alone, or as a name, is not.
func onThisMachine(address string) bool {
	if address == "" {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address // General.ListenAddress has no port
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
