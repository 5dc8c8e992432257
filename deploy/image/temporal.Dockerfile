# Temporal's development server with its Web UI, on SQLite: for deploy/compose.yaml, to try things
# on one machine. It is no cluster: a team that depends on releases runs its own, or Temporal Cloud.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE}
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/temporal.txt /tmp/temporal.txt
RUN python3 -m venv /opt/temporal \
 && /opt/temporal/bin/pip install --quiet --require-hashes --requirement /tmp/temporal.txt \
 && /opt/temporal/bin/pip uninstall --quiet --yes pip \
 && rm /tmp/temporal.txt \
 && mkdir /data \
 && chown 10001:10001 /data
ENV PATH=/opt/temporal/bin:$PATH HOME=/tmp
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 7233 8233
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["temporal", "operator", \
  "cluster", "health"]
ENTRYPOINT ["temporal"]
# A production server answers from a cache which search attributes there are. Without it each change
# of them is a read of the database, in the middle of the decision about a release.
CMD ["server", "start-dev", "--ip", "0.0.0.0", "--db-filename", "/data/temporal.db", \
  "--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=false"]
