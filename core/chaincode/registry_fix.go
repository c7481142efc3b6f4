// SPDX-License-Identifier: Apache-2.0

package chaincode

import (
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"
)

// handleMessageCreatedState ends a stream that registers again. The certificate of a chaincode is compared with the name in the
// first message of its stream only, and a name that is refused, as it is taken, left the way open for the name of another chaincode.
//
//fork:wrap fix: a chaincode registers once on a stream, by the name that its certificate is for
func (h *Handler) handleMessageCreatedState(msg *pb.ChaincodeMessage) error {
	if msg.Type == pb.ChaincodeMessage_REGISTER && h.chaincodeID != "" {
		return errors.Errorf("chaincode %s registers a second time on one stream; it must connect again", h.chaincodeID)
	}
	return h.upstreamHandleMessageCreatedState(msg)
}

// deregister is called when the stream of the handler ends.
//
//fork:wrap fix: a stream that was refused does not take the chaincode out of use that has its name
func (h *Handler) deregister() {
	if registry, ok := h.Registry.(*HandlerRegistry); ok {
		registry.deregisterHandler(h)
		return
	}
	h.upstreamDeregister() // another registry knows what it does
}

// deregisterHandler removes the handler and its launch, unless another handler has its name or none.
func (r *HandlerRegistry) deregisterHandler(h *Handler) {
	r.mutex.Lock()
	registered := r.handlers[h.chaincodeID] == h
	if registered {
		delete(r.handlers, h.chaincodeID)
		delete(r.launching, h.chaincodeID)
	}
	r.mutex.Unlock()
	if registered {
		h.Close()
	}
}
