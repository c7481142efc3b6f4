// SPDX-License-Identifier: Apache-2.0

// Package assess reports what a network fulfils of the standards for assessments of cryptographic applications, clause by clause and with
// evidence. [Gather] collects [Evidence] from nodes and files, and a [Report] judges each clause by it. The package changes nothing.
package assess

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/inspect"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/migrate"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	files "github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/loglimit"
)

// Evidence is what was found. A part without a source is empty, and shows nothing.
type Evidence struct {
	nodes    []migrate.Node
	channels []channel
	settings []*inspect.Settings
	ledgers  []ledger
	lacks    string // what the kernel of this machine lacks for SM4 mappings
}

// channel is what a config block says.
type channel struct {
	name         string
	hash         string
	consensus    string
	capabilities []string
	members      int
	foreign      []string // CAs of identities whose key is not SM2
}

// ledger is where a folder is stored.
type ledger struct{ path, cipher string }

// Sources say where evidence is.
type Sources struct {
	Inventory string   // nodes.yaml, as for gmtls migrate
	Blocks    []string // config blocks, one a channel
	Nodes     []string // folders with core.yaml or orderer.yaml
	Ledgers   []string // folders of ledgers on this machine
}

// Gather reads the sources. An error means that one of them cannot be read at all; a node that does not answer is evidence.
func Gather(ctx context.Context, s Sources) (*Evidence, error) {
	e := new(Evidence)
	var err error
	if s.Inventory != "" {
		if e.nodes, err = migrate.Ask(ctx, s.Inventory); err != nil {
			return nil, err
		}
	}
	for _, name := range s.Blocks {
		ch, err := readChannel(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		e.channels = append(e.channels, ch)
	}
	for _, folder := range s.Nodes {
		settings, err := inspect.NodeSettings(folder)
		if err != nil {
			return nil, err
		}
		e.settings = append(e.settings, settings...)
	}
	if s.Ledgers != nil {
		e.lacks = kernelLacks("/")
	}
	for _, path := range s.Ledgers {
		cipher, err := cipherUnder(path)
		if err != nil {
			return nil, err
		}
		e.ledgers = append(e.ledgers, ledger{path, cipher})
	}
	return e, nil
}

func readChannel(name string) (ch channel, err error) {
	data, err := material.ReadFile(name)
	if err != nil {
		return ch, err
	}
	block := new(common.Block)
	if err := proto.Unmarshal(data, block); err != nil || len(block.GetData().GetData()) == 0 {
		return ch, fmt.Errorf("it is not a block; peer channel fetch config gives one")
	}
	id, group, err := inspect.ConfigOf(block.Data.Data[0])
	if err != nil {
		return ch, err
	}
	ch.name = loglimit.Printable(id)
	var hash common.HashingAlgorithm
	var capabilities common.Capabilities
	var consensus orderer.ConsensusType
	for _, value := range []struct {
		of   *common.ConfigGroup
		name string
		into proto.Message
	}{{group, "HashingAlgorithm", &hash}, {group, "Capabilities", &capabilities}, {group.GetGroups()["Orderer"], "ConsensusType", &consensus}} {
		if err := proto.Unmarshal(value.of.GetValues()[value.name].GetValue(), value.into); err != nil {
			return ch, fmt.Errorf("the value %s cannot be decoded", value.name)
		}
	}
	ch.hash, ch.consensus = loglimit.Printable(hash.Name), loglimit.Printable(consensus.Type)
	for name := range capabilities.Capabilities {
		ch.capabilities = append(ch.capabilities, loglimit.Printable(name))
	}
	slices.Sort(ch.capabilities)
	for _, section := range []string{"Orderer", "Application"} {
		for name, org := range group.GetGroups()[section].GetGroups() {
			foreign, err := notSM2(org)
			if err != nil {
				return ch, fmt.Errorf("%s %s: %w", section, loglimit.Printable(name), err)
			}
			ch.members++
			ch.foreign = append(ch.foreign, foreign...)
		}
	}
	slices.Sort(ch.foreign)
	return ch, nil
}

// notSM2 names the CAs of an organisation's identities whose key is not SM2.
func notSM2(org *common.ConfigGroup) (foreign []string, err error) {
	var outer msp.MSPConfig
	var config msp.FabricMSPConfig
	if err := proto.Unmarshal(org.GetValues()["MSP"].GetValue(), &outer); err != nil {
		return nil, fmt.Errorf("its MSP cannot be decoded")
	}
	if outer.Type != 0 {
		return []string{fmt.Sprintf("an MSP of type %d", outer.Type)}, nil
	}
	if err := proto.Unmarshal(outer.Config, &config); err != nil {
		return nil, fmt.Errorf("its MSP cannot be decoded")
	}
	for _, text := range slices.Concat(config.RootCerts, config.IntermediateCerts) {
		cert, err := x509.ParseCertificatePEM(text)
		if err != nil {
			return nil, err
		}
		if files.FamilyOf(cert.PublicKey) != files.SM2 {
			foreign = append(foreign, loglimit.Printable(config.Name+": "+cert.Subject.String()))
		}
	}
	return foreign, nil
}

// hasCapability reports whether a channel has one of the capabilities.
func (ch channel) hasCapability(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(ch.capabilities, n) })
}

func list(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}
