// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// SwitchModes tells a running orderer or peer to listen or dial by another protocol, through its operations service. An empty
// mode leaves that side as it is.
func (n *Network) SwitchModes(ctx context.Context, node Node, server, client string) error {
	body, err := json.Marshal(map[string]string{"serverMode": server, "clientMode": client})
	if err != nil {
		return fmt.Errorf("encode the modes: %w", err)
	}
	_, err = n.Operations(ctx, node, http.MethodPut, "/tls", body)
	return err
}

// AdoptModes makes modes to which all nodes have been switched those of the network: in the files that the nodes read when they
// start again, in the clients' profiles, and for this package's own connections. The chaincode servers stay as they are.
func (n *Network) AdoptModes(server, client string) error {
	n.Mode, n.ClientMode = server, client
	if err := n.makeNodeFiles(n.placement()); err != nil {
		return err
	}
	return n.save()
}

// PublishGMRoots adds every organisation's TLCP root to its MSP in the channel configuration, by its own signature.
func (n *Network) PublishGMRoots(ctx context.Context) error {
	for i, org := range append([]Org{n.Ordering}, n.Peers...) {
		section := "Application"
		if i == 0 {
			section = "Orderer"
		}
		root, err := os.ReadFile(n.path(filepath.FromSlash(n.nodeCrypto(org.Nodes[0])), "tls", "gm-ca.crt"))
		if err != nil {
			return fmt.Errorf("TLCP root of %s: %w", org.Name, err)
		}
		err = n.UpdateConfig(ctx, "gm-root-"+org.Name, []Org{org}, func(config tree) error {
			msp, err := at(config, "channel_group", "groups", section, "groups", org.Name, "values", "MSP", "value", "config")
			if err != nil {
				return err
			}
			roots, ok := msp["tls_root_certs"].([]any)
			if !ok {
				return errors.New("no TLS roots in the configuration")
			}
			msp["tls_root_certs"] = append(roots, base64.StdEncoding.EncodeToString(root))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// PublishConsenterPairs gives every consenter, one a block, its TLS certificate and its TLCP signing certificate in the channel
// configuration, so that others know it whichever it dials with.
func (n *Network) PublishConsenterPairs(ctx context.Context) error {
	for _, orderer := range n.Nodes(Orderer) {
		if err := n.awaitActive(ctx); err != nil {
			return err
		}
		var both []byte
		for _, file := range []string{"server.crt", "server-sign.crt"} {
			cert, err := os.ReadFile(n.path(filepath.FromSlash(n.nodeCrypto(orderer)), "tls", file))
			if err != nil {
				return fmt.Errorf("certificates of %s: %w", orderer.Name, err)
			}
			both = append(both, cert...)
		}
		err := n.UpdateConfig(ctx, "pair-"+orderer.Name, []Org{n.Ordering}, func(config tree) error {
			return replaceConsenterCert(config, orderer, both)
		})
		if err != nil {
			return err
		}
	}
	return n.awaitActive(ctx)
}
