// SPDX-License-Identifier: Apache-2.0

package comm

// serve services a connection that this peer has dialed, and takes it out of the store when it ends. Otherwise the next message
// would go into the dead connection, fail, and let the other peer be presumed dead until it says that it is alive, although it
// only closed a connection, as it does when protocol or certificates are changed. A peer that is dead cannot be dialed: it is
// found out all the same. A closed connection leaves the store at once, even while the handler of its last message is busy.
func (cs *connectionStore) serve(conn *connection) {
	go func() { _ = conn.serviceConnection() }() // an end is not a failure of this peer
	<-conn.stopChan                              // readFromStream closes the connection at its end
	cs.Lock()
	defer cs.Unlock()
	if cs.pki2Conn[string(conn.pkiID)] == conn {
		delete(cs.pki2Conn, string(conn.pkiID))
	}
}
