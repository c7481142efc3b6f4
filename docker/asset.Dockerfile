# SPDX-License-Identifier: Apache-2.0
#
# The sample chaincode as a service; a chaincode of one's own is packed the same way. See pkg/gmshim for its variables.
FROM scratch
COPY asset /usr/local/bin/asset
USER 10001:10001
HEALTHCHECK --interval=5s --timeout=6s CMD ["/usr/local/bin/asset", "-health"]
ENTRYPOINT ["/usr/local/bin/asset"]
