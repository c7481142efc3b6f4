// SPDX-License-Identifier: Apache-2.0

//fork:file fix: connections to consenters of a channel that this node has left end

package etcdraft_test

import (
	"testing"

	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	. "github.com/onsi/gomega"
)

// TestConnectionsOfLeftChannel: a chain that ends closes the connections that no other channel of the node uses.
func TestConnectionsOfLeftChannel(t *testing.T) {
	n := threeConsenters(t, 2, 3)
	ca, err := tlsgen.NewCA()
	Expect(err).NotTo(HaveOccurred())
	dialer := &cluster.PredicateDialer{Config: comm.ClientConfig{AsyncConnect: true, SecOpts: comm.SecureOptions{UseTLS: true, ServerRootCAs: [][]byte{ca.CertBytes()}}}}
	node := &cluster.Comm{
		Logger: flogging.MustGetLogger("test"), Chan2Members: cluster.MembersByChannel{}, Metrics: cluster.NewMetrics(&disabled.Provider{}),
		Connections: cluster.NewConnectionStore(dialer, &disabled.Gauge{}),
	}
	t.Cleanup(node.Shutdown)
	leaving := n.chains[2]
	channel, others := leaving.configurator.ConfigureArgsForCall(0)
	Expect(others).To(HaveLen(2))
	node.Configure(channel, others)
	node.Configure("another channel", others[:1])
	leaving.configurator.ConfigureCalls(node.Configure)
	open := func(of cluster.RemoteNode) bool {
		_, there := node.Connections.Connections.Lookup(of.ServerTLSCert)
		return there
	}
	Expect(open(others[0]) && open(others[1])).To(BeTrue())

	leaving.Halt()
	Expect(open(others[0])).To(BeTrue(), "used by another channel")
	Expect(open(others[1])).To(BeFalse())
}
