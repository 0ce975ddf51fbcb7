# flock for a DaemonSet: the executable, and the tools that it runs, as Debian has them.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --tag REGISTRY/flock:VERSION .

FROM denoland/deno:debian-2.9.6 AS build
WORKDIR /home/deno/flock
RUN chown deno:deno .
USER deno
# What is downloaded changes with these two files alone.
COPY --chown=deno:deno deno.json deno.lock ./
RUN deno install --frozen
COPY --chown=deno:deno main.ts ./
COPY --chown=deno:deno src src
COPY --chown=deno:deno deploy deploy
RUN deno task compile

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="flock" \
  org.opencontainers.image.description="A Kubernetes CNI for nodes that speak BGP" \
  org.opencontainers.image.source="https://github.com/fritzlab/flock" \
  org.opencontainers.image.licenses="Apache-2.0"
# The versions that flock is tested with; within them Debian mends what is broken.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends \
    "bird2=2.0.*" "iproute2=6.1.*" "nftables=1.0.*" "procps=2:4.0.*" \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /home/deno/flock/dist/flock /usr/local/bin/flock
# Whoever needs root, as agent, installer and BIRD do, says so in the pod.
USER 65534:65534
ENTRYPOINT ["/usr/local/bin/flock"]
