# SPDX-License-Identifier: Apache-2.0
#
# The operator's commands, each called by its name: docker run fabric-gm-tools osnadmin --help
FROM scratch
COPY bin /usr/local/bin
COPY sampleconfig /etc/hyperledger/fabric
COPY --chown=10001:10001 empty /work
ENV PATH=/usr/local/bin FABRIC_CFG_PATH=/etc/hyperledger/fabric
USER 10001:10001
WORKDIR /work
CMD ["peer", "version"]
