# reconciler in a container, without root. Build it, and run it on the folder with the manifest, as whoever owns that folder:
#   docker build --tag reconciler .
#   docker run --rm --user "$(id -u)" --volume "$PWD:/manifest" --env INTERCOM_ACCESS_TOKEN reconciler plan intercom/
FROM python:3.12-slim-bookworm AS build
COPY pyproject.toml README.md LICENSE /source/
COPY reconciler /source/reconciler
COPY examples/ci /source/examples/ci
RUN python -m venv /reconciler && /reconciler/bin/pip install --no-cache-dir "/source[fleet]"

FROM python:3.12-slim-bookworm
# git is for ledgers in a git repository, and for `plan --base`. Debian keeps one version of it in a release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 reconciler
COPY --from=build /reconciler /reconciler
ENV PATH=/reconciler/bin:$PATH
USER 1000
WORKDIR /manifest
ENTRYPOINT ["reconciler"]
CMD ["--help"]
