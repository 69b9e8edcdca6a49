# Settings are environment variables, GRADMARK_*. Runs with a read-only root, no capabilities, no shell; needs no network out.
FROM python:3.13-slim-trixie AS build

# pip and the packages' own tests stay out; all bytecode is written here, since nothing can be written at run time.
WORKDIR /srv/gradmark
COPY requirements.txt ./
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python --no-cache-dir install \
        --no-compile --require-hashes --only-binary :all: --requirement requirements.txt \
    && find /opt/venv -type d -name tests -prune -exec rm -r {} + \
    && rm requirements.txt \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib
COPY LICENSE ./
COPY core/ core/
COPY app/ app/
RUN /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash app core \
    && chmod -R u=rwX,go=rX .


FROM python:3.13-slim-trixie

COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/gradmark /srv/gradmark

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GRADMARK_HOST=0.0.0.0 \
    GRADMARK_PORT=8000

WORKDIR /srv/gradmark
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["python", "-m", "app", "health"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]

LABEL org.opencontainers.image.title="Gradmark" \
      org.opencontainers.image.description="Computes, explains and marks gradients over HTTP." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
