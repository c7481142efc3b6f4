# SPDX-License-Identifier: Apache-2.0
#
# What a peer adds a chaincode to that it has built (chaincode.golang.runtime). The chaincode is static: nothing else is needed.
FROM scratch
COPY --chown=10001:10001 empty /tmp
ENV PATH=/usr/local/bin
USER 10001:10001
