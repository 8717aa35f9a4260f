# syntax=docker/dockerfile:1
# The device on a Jetson, JetPack 6.1 and 6.2: Ubuntu 22.04, Python 3.10, CUDA 12.6, TensorRT 10.3.
# Built on a Jetson, or with buildx for linux/arm64, from the root of the repository:
#   docker build -f deploy/container/jetpack6.Dockerfile -t walkout-edge:0.1.0-jetpack6 .
# Run with --runtime nvidia. TensorRT's Python module is the image's, so the environment sees it.
ARG BASE=nvcr.io/nvidia/l4t-jetpack:r36.4.0

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/usr/local/cuda/bin:$PATH
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        build-essential python3-dev python3-venv python3-libnvinfer \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python3 -m venv --system-site-packages /opt/walkout/venv \
    && /opt/walkout/venv/bin/pip install '.[edge,tensorrt,s3]' \
    && cp edge/software/launcher.py /opt/walkout/launcher.py

FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        gstreamer1.0-libav gstreamer1.0-plugins-bad gstreamer1.0-plugins-good gstreamer1.0-tools \
        python3-venv python3-libnvinfer \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/walkout
COPY --from=build /opt/walkout /opt/walkout
COPY deploy/container/healthcheck.py /opt/walkout/healthcheck.py

ENV PATH=/opt/walkout/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENCV_IO_MAX_IMAGE_PIXELS=50000000
# Nobody's account: no shell, no home, and nothing of the image is theirs.
USER 10001:10001
WORKDIR /var/lib/walkout
VOLUME ["/var/lib/walkout"]
EXPOSE 8080
# Alive is what the table of workers says; a camera that is lost is no reason to start anew.
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=6 \
    CMD ["python", "-I", "/opt/walkout/healthcheck.py"]
STOPSIGNAL SIGTERM
# The launcher starts the newest release that has proved itself, this image's own at first.
ENTRYPOINT ["python", "-I", "/opt/walkout/launcher.py", "--software", "/var/lib/walkout/shop/software", "--shipped", "/opt/walkout/venv/bin/walkout-edge", "--"]
CMD ["run", "/var/lib/walkout/shop", "--log-json"]
