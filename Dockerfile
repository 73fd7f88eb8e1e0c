# syntax=docker/dockerfile:1
# One image for the webhook and the worker: the locked virtual environment and nothing to build with.
#
#   docker build --tag summaryrule-operator:0.2.0 --build-arg VERSION=0.2.0 .
#
# BASE is a tag, because its digest has to be asked of a registry. To pin it:
#   docker buildx imagetools inspect python:3.13-slim-trixie --format '{{.Manifest.Digest}}'
# and pass --build-arg BASE=python:3.13-slim-trixie@sha256:… (releases must).
# Why this interpreter, and what of this file is tested how: docs/image.md.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
WORKDIR /build
COPY hack/image/uv.txt ./
RUN python -m pip install --no-cache-dir --require-hashes -r uv.txt
ENV UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/summaryrule
# The lock names crdgen and the local endpoint as members of the workspace. They are not installed.
COPY pyproject.toml uv.lock ./
COPY crdgen/pyproject.toml ./crdgen/
COPY emulator/pyproject.toml ./emulator/
RUN uv sync --locked --no-dev --no-editable --no-install-project
COPY README.md LICENSE ./
COPY summaryrule ./summaryrule
COPY runtime ./runtime
COPY webhook ./webhook
COPY worker ./worker
COPY plugin ./plugin
# Bytecode is compiled here, once: the image is read-only where it runs. It is not checked against
# its source's time, which a registry or a builder may rewrite.
ENV UV_COMPILE_BYTECODE=1 \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH
RUN uv sync --locked --no-dev --no-editable

FROM ${BASE}
# NB: python:slim (3.13) comes without bytecode of the standard library, which a process that may not
# write would compile at each start.
RUN python -m compileall -q -j 0 -x '/(tests?|idle_test|lib2to3|site-packages)/' \
    --invalidation-mode unchecked-hash "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/summaryrule /opt/summaryrule
COPY hack/image/healthy.py /opt/summaryrule/
# NB: the Kubernetes client (37.0.2) asks for a home folder when it is imported; a number has none.
ENV PATH=/opt/summaryrule/bin:$PATH \
    HOME=/ \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="summaryrule-operator" \
      org.opencontainers.image.description="Webhook and worker that run SummaryRules on Azure Data Explorer" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /
USER 65532:65532
EXPOSE 8080 9443
# For docker alone: Kubernetes asks with the chart's probes.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "/opt/summaryrule/healthy.py"]
CMD ["summaryrule-worker", "--help"]
