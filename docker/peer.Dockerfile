# SPDX-License-Identifier: Apache-2.0
#
# A peer and nothing else: no shell, no package, no user but one. Configuration comes by FABRIC_CFG_PATH and CORE_ variables.
FROM scratch
COPY peer /usr/local/bin/peer
# The external builder for chaincode as a service, where chaincode.externalBuilders of core.yaml has it.
COPY ccaas /opt/hyperledger/ccaas_builder
COPY sampleconfig /etc/hyperledger/fabric
COPY --chown=10001:10001 empty /var/hyperledger/production
ENV PATH=/usr/local/bin FABRIC_CFG_PATH=/etc/hyperledger/fabric
USER 10001:10001
HEALTHCHECK --interval=5s --timeout=6s --start-period=10s CMD ["/usr/local/bin/peer", "--health"]
ENTRYPOINT ["/usr/local/bin/peer"]
CMD ["node", "start"]
