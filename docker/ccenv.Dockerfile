# SPDX-License-Identifier: Apache-2.0
#
# Where a peer builds chaincode in Go (chaincode.builder): a shell and Go, and no C compiler. A peer that uses it has
# chaincode.golang.dynamicLink true in its core.yaml; the programs are static all the same, as there is no C in them.
FROM scratch
COPY root /
COPY --chown=10001:10001 empty /chaincode/input
COPY --chown=10001:10001 empty /chaincode/output
COPY --chown=10001:10001 empty /tmp
COPY --chown=10001:10001 empty /home
ENV PATH=/usr/local/go/bin:/bin HOME=/home GOROOT=/usr/local/go GOPATH=/home/go CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false
USER 10001:10001
WORKDIR /chaincode/input
