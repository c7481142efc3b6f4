# SPDX-License-Identifier: Apache-2.0
#
# A certificate authority, and the client to ask it: docker run --entrypoint fabric-ca-client fabric-gm-ca. The configuration is
# fabric-ca-server-config.yaml in the volume, which holds keys and the database too.
FROM scratch
COPY fabric-ca-server fabric-ca-client /usr/local/bin/
COPY --chown=10001:10001 empty /var/fabric-ca
ENV PATH=/usr/local/bin FABRIC_CA_HOME=/var/fabric-ca
USER 10001:10001
WORKDIR /var/fabric-ca
VOLUME /var/fabric-ca
ENTRYPOINT ["/usr/local/bin/fabric-ca-server"]
CMD ["start"]
