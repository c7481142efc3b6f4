// SPDX-License-Identifier: Apache-2.0

package network

// PID is the process of a node that was started natively and lives; 0 for others.
func (n *Network) PID(name string) int {
	if p, ok := n.unit(name).(*process); ok && p.alive() {
		return p.PID
	}
	return 0
}
