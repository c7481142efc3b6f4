# SPDX-License-Identifier: Apache-2.0
#
# An orderer and nothing else. Configuration comes by FABRIC_CFG_PATH and ORDERER_ variables.
FROM scratch
COPY orderer /usr/local/bin/orderer
COPY sampleconfig /etc/hyperledger/fabric
COPY --chown=10001:10001 empty /var/hyperledger/production
ENV PATH=/usr/local/bin FABRIC_CFG_PATH=/etc/hyperledger/fabric
USER 10001:10001
HEALTHCHECK --interval=5s --timeout=6s --start-period=10s CMD ["/usr/local/bin/orderer", "--health"]
ENTRYPOINT ["/usr/local/bin/orderer"]
