// SPDX-License-Identifier: Apache-2.0

package httpadmin

import "net/http"

// maxBody bounds the body of a request in bytes. It has room for levels of more than a thousand loggers.
const maxBody = 64 << 10

// ServeHTTP answers a request for the levels of the log, or for others. Upstream reads a body as long as it comes.
//
//fork:wrap fix: a client cannot fill the memory of a node with the body of its request
func (h *SpecHandler) ServeHTTP(resp http.ResponseWriter, req *http.Request) {
	req.Body = http.MaxBytesReader(resp, req.Body, maxBody)
	h.upstreamServeHTTP(resp, req)
}
