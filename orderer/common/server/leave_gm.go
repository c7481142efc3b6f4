// SPDX-License-Identifier: Apache-2.0

package server

import (
	"sync"

	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/channelparticipation"
	"github.com/hyperledger/fabric/orderer/common/cluster"
)

// leaving is the registrar as the admin API has it: what a channel's configuration made this node trust, its TLS root CAs and
// revocation lists, is forgotten when the node leaves the channel. In stock Fabric, members of a channel that the node has left are
// trusted until a restart.
type leaving struct {
	channelparticipation.ChannelManagement

	roots   *caManager
	servers []*comm.GRPCServer       // that verify clients by the roots of channels
	dialer  *cluster.PredicateDialer // of other orderers; nil: none
	local   [][]byte                 // root CAs of the dialer that belong to no channel

	mu sync.Mutex // held while a channel is joined or left: what it brings must not be forgotten with what went
}

// RemoveChannel leaves the channel.
func (l *leaving) RemoveChannel(channel string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.ChannelManagement.RemoveChannel(channel)
	left := ""
	if err == nil {
		left = channel // which is listed until its ledger is gone
	}
	l.forget(left)
	return err
}

// forget forgets the channel that was left, and all that the registrar does not have: that of the system channel takes others with it,
// and a channel may have failed to be joined after its configuration was read.
func (l *leaving) forget(left string) {
	present := make(map[string]bool)
	list := l.ChannelList()
	for _, channel := range list.Channels {
		present[channel.Name] = true
	}
	if list.SystemChannel != nil {
		present[list.SystemChannel.Name] = true
	}
	delete(present, left)
	if l.roots.forget(present, l.servers) && l.dialer != nil {
		l.roots.updateClusterDialer(l.dialer, l.local)
	}
}

// forget forgets all channels but those that are present, and reports whether there were any.
func (mgr *caManager) forget(present map[string]bool, servers []*comm.GRPCServer) bool {
	mgr.Lock()
	defer mgr.Unlock()
	forgotten := false
	for channel := range mgr.ordererRootCAsByChain { // upstream writes both maps together
		if present[channel] {
			continue
		}
		forgotten = true
		delete(mgr.ordererRootCAsByChain, channel)
		delete(mgr.appRootCAsByChain, channel)
		comm.ForgetRevocationLists(channel)
		logger.Infof("Channel %s has been left: its TLS root CAs and revocation lists no longer count", channel)
	}
	if !forgotten {
		return false
	}
	trusted := append([][]byte{}, mgr.clientRootCAs...)
	for _, byChannel := range []map[string][][]byte{mgr.appRootCAsByChain, mgr.ordererRootCAsByChain} {
		for _, roots := range byChannel {
			trusted = append(trusted, roots...)
		}
	}
	for _, server := range servers {
		if err := server.SetClientRootCAs(trusted); err != nil {
			logger.Warningf("The client root CAs of the listener at %s, without those of a channel that was left: %s", server.Address(), err)
		}
	}
	return true
}
