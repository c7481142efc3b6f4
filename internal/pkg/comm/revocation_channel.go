// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/msp"
)

// UpdateRevocationLists takes the revocation lists of a channel from its
// configuration. Roles that check revocation judge every handshake by them from
// now on, and drain the connections that they would refuse.
func UpdateRevocationLists(channel channelconfig.Resources) {
	updateLists(channel.ConfigtxValidator().ChannelID(), channel.ConfigtxValidator().ConfigProto())
}

func updateLists(channel string, config *cb.Config) {
	orgs := organizationsOf(channel, config)
	for _, o := range orgs {
		if o.unread != nil {
			commLogger.Errorf("CA certificates of %s cannot be read, and nodes and clients below them not verified, until a configuration update mends it: %s", o.name, o.unread)
		}
	}
	earlier := setChannelLists(channel, orgs)
	auditLists(earlier, orgs) // by which the MSPs judge, whether roles check or not
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	if !anyChecksLocked() {
		return
	}
	for _, o := range orgs {
		o.warn()
	}
	observeLists("", earlier, orgs)
	for _, s := range registry.byRole {
		s.retireRefusedLocked()
	}
}

// ForgetRevocationLists drops the lists of a channel that the node has left.
func ForgetRevocationLists(channel string) { observeLists("", setChannelLists(channel, nil), nil) }

// setChannelLists replaces the lists of a channel; nil drops it.
func setChannelLists(channel string, orgs []*organization) (earlier []*organization) {
	channelLists.mu.Lock()
	defer channelLists.mu.Unlock()
	if channelLists.byChannel == nil {
		channelLists.byChannel = make(map[string][]*organization)
	}
	earlier = channelLists.byChannel[channel]
	channelLists.byChannel[channel] = orgs
	if orgs == nil {
		delete(channelLists.byChannel, channel)
	}
	var all []*organization
	for _, channel := range slices.Sorted(maps.Keys(channelLists.byChannel)) {
		all = append(all, channelLists.byChannel[channel]...)
	}
	channelLists.all.Store(&all)
	return earlier
}

// organizationsOf reads the MSPs of a channel, wherever in its configuration
// they stand. The MSPs of one identifier are one organisation: a channel does
// not have two that differ.
func organizationsOf(channel string, config *cb.Config) []*organization {
	byID := make(map[string]*organization)
	var walk func(*cb.ConfigGroup)
	walk = func(group *cb.ConfigGroup) {
		if value := group.GetValues()[channelconfig.MSPKey]; value != nil {
			if fabric := fabricMSP(value.Value); fabric != nil && byID[fabric.Name] == nil {
				byID[fabric.Name] = organizationOf(channel, fabric)
			}
		}
		for _, below := range group.GetGroups() {
			walk(below)
		}
	}
	walk(config.GetChannelGroup())
	orgs := make([]*organization, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		orgs = append(orgs, byID[id])
	}
	return orgs
}

// fabricMSP returns nil for an MSP of another type, and for what is none: the
// channel's own MSPs have been made of the same bytes.
func fabricMSP(raw []byte) *mspproto.FabricMSPConfig {
	config, fabric := &mspproto.MSPConfig{}, &mspproto.FabricMSPConfig{}
	if proto.Unmarshal(raw, config) != nil || config.Type != int32(msp.FABRIC) || proto.Unmarshal(config.Config, fabric) != nil {
		return nil
	}
	return fabric
}

func organizationOf(channel string, fabric *mspproto.FabricMSPConfig) *organization {
	name := fmt.Sprintf("MSP %s in channel %s", fabric.Name, channel)
	var cas []*x509.Certificate
	var unread error
	for _, field := range []struct {
		name  string
		texts [][]byte
	}{
		{"root_certs", fabric.RootCerts}, {"intermediate_certs", fabric.IntermediateCerts},
		{"tls_root_certs", fabric.TlsRootCerts}, {"tls_intermediate_certs", fabric.TlsIntermediateCerts},
	} {
		for i, text := range field.texts {
			certs, err := material.ParseCertificates(fmt.Sprintf("%s %d", field.name, i), text)
			unread = errors.Join(unread, err)
			for _, cert := range certs {
				cas = append(cas, cert.Certificate)
			}
		}
	}
	o := newOrganization(name, cas)
	o.channel, o.msp, o.unread = channel, fabric.Name, unread
	for i, text := range fabric.RevocationList {
		lists, err := material.ParseLists(fmt.Sprintf("list %d", i), text)
		if err != nil {
			o.refuse(err)
		}
		for _, list := range lists {
			if err := o.add(list.CertificateList, cas); err != nil {
				o.refuse(fmt.Errorf("list %d (issuer %s): %w", i, nameOf(list.CertificateList), err))
			}
		}
	}
	return o
}

// anyChecksLocked reports whether a role checks revocation.
func anyChecksLocked() bool {
	for _, s := range registry.byRole {
		if s.revocation {
			return true
		}
	}
	return false
}
