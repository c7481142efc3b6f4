# SPDX-License-Identifier: Apache-2.0
#
# The key daemon. A library of a device is a shared object and needs a C library, so here are the build machine's, with what such
# libraries link to most often. Mount the vendor's library and its configuration; share /run/gmkeyd with the nodes.
FROM scratch
COPY root /
COPY gmkeyd /usr/local/bin/gmkeyd
COPY --chown=10001:10001 empty /run/gmkeyd
ENV PATH=/usr/local/bin
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/gmkeyd", "status"]
ENTRYPOINT ["/usr/local/bin/gmkeyd"]
CMD ["serve", "--config", "/etc/gmkeyd/gmkeyd.yaml"]
