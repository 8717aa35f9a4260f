# syntax=docker/dockerfile:1
# The cloud's programs (walkout-trainer): portal, receiver, rollout engine, enroller, publisher.
#   docker build -f deploy/container/cloud.Dockerfile -t walkout-cloud:0.1.0 .
# torch comes without CUDA; training machines take their own, TORCH_INDEX=https://pypi.org/simple.
ARG PYTHON=3.11.10-slim-bookworm

FROM python:${PYTHON} AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python -m venv /opt/walkout/venv \
    && /opt/walkout/venv/bin/pip install --index-url "${TORCH_INDEX}" torch==2.13.0 \
    && /opt/walkout/venv/bin/pip install '.[edge,trainer,portal]'

FROM python:${PYTHON}
COPY --from=build /opt/walkout /opt/walkout
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/walkout
ENV PATH=/opt/walkout/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/walkout
VOLUME ["/var/lib/walkout"]
# Each program says in its log and by its exit how it is; the portal has a check of its own.
HEALTHCHECK NONE
ENTRYPOINT ["walkout-trainer"]
CMD ["--help"]
