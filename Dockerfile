# The service alone: the database is elsewhere, and the embedded one is left out of requirements.txt.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.txt .ci/build-requirements.txt .ci/sbom ./
RUN python -m venv --without-pip /opt/triage \
    && pip --python /opt/triage install --no-cache-dir --require-hashes -r requirements.txt \
    && pip install --no-cache-dir --require-hashes -r build-requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY sql sql
COPY openapi openapi
COPY triage triage
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /dist . \
    && pip --python /opt/triage install --no-index --no-deps /dist/*.whl \
    && python sbom /opt/triage > /opt/triage/sbom.json

FROM python:3.11-slim
RUN useradd --system --uid 10001 triage && install --directory --owner=triage --mode=0700 /var/lib/triage
COPY --from=build /opt/triage /opt/triage
ENV PATH=/opt/triage/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TRIAGE_HOST=0.0.0.0 \
    TRIAGE_DATA_DIR=/var/lib/triage
VOLUME /var/lib/triage
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('TRIAGE_PORT', '8000') + '/health/live', timeout=2)"]
CMD ["triage", "serve"]
