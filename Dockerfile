# The decoding service: core only. Fitting, BrainFlow and the rest are extras and stay outside.
# x86-64 and arm64. How to build and run it: docs/container.md.

FROM debian:12-slim AS build
ARG TARGETARCH
# A Debian release only gets repairs, so its packages are not pinned to a version.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY devices devices
COPY decoders decoders
COPY bci_server bci_server
# Extras to add, with commas: onnx, where a model is a network.
ARG EXTRAS=""
# On arm64 the pylsl wheel brings no liblsl; the extra does.
RUN python3 -m venv --upgrade-deps /opt/bci \
 && if [ "${TARGETARCH:-$(dpkg --print-architecture)}" = arm64 ]; then arm=liblsl; fi \
 && extras="$EXTRAS${EXTRAS:+${arm:+,}}${arm:-}" \
 && /opt/bci/bin/pip install --no-cache-dir --constraint constraints.txt ".${extras:+[$extras]}" \
 && /opt/bci/bin/pip uninstall --yes pip

FROM debian:12-slim
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin bci \
 && install --directory --owner bci --group bci /sessions /home/bci/.local/state/bci-server
COPY --from=build /opt/bci /opt/bci
ENV PATH=/opt/bci/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /sessions
# The token, which must outlive the container; recordings and models lie beside their sessions.
VOLUME ["/home/bci/.local/state/bci-server"]
EXPOSE 8765
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["bci", "health"]
# Listens on loopback: run with the host's network, or give it TLS and BCI_HOST (docs/container.md).
ENTRYPOINT ["bci"]
CMD ["serve", "session.toml"]
