// SPDX-License-Identifier: Apache-2.0

package migrate

import "context"

// Node is what a node of an inventory said of itself.
type Node struct {
	Name    string
	Problem string // why it could not be asked
	Version string
	Fork    bool
	Roles   []NodeRole
}

// NodeRole is one of its servers or dialers.
type NodeRole struct {
	Role, ServerMode, ClientMode string
	TLS                          int // live connections that are not TLCP
	TLCP                         int
}

// Ask asks every node of the inventory in the file.
func Ask(ctx context.Context, file string) ([]Node, error) {
	inv, err := loadInventory(file)
	if err != nil {
		return nil, err
	}
	var nodes []Node
	for _, f := range gather(ctx, inv) {
		node := Node{Name: f.Name, Problem: f.Problem, Version: f.Version, Fork: f.Fork}
		for _, r := range f.Roles {
			tlsIn, tlsOut := r.Over("TLS")
			gmIn, gmOut := r.Over("TLCP")
			node.Roles = append(node.Roles, NodeRole{r.Name, string(r.ServerMode), string(r.ClientMode), tlsIn + tlsOut, gmIn + gmOut})
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}
