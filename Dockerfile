# The static program alone, as a user without rights, on a root that may be read-only:
#
#   docker build -t warmgate .
#   docker run --read-only -v ./configs:/etc/warmgate:ro -v warmgate-data:/data warmgate
#
# There is no HEALTHCHECK: the image has no shell and no client. Probe /livez and /readyz of the second listener.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o /out/warmgate . && mkdir /out/data

FROM scratch
# Certificates for backends, time zones for venues.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /zoneinfo.zip
COPY --from=build /out/warmgate /warmgate
COPY --from=build --chown=65532:65532 /out/data /data
COPY configs /etc/warmgate
# The ledger, and what SQLite puts aside for a moment, live in the only place that may be written.
ENV ZONEINFO=/zoneinfo.zip TMPDIR=/data
# What the shipped configuration leaves to the environment. The second listener stays on the container's loopback.
ENV WARMGATE_LISTEN=0.0.0.0:8080 WARMGATE_DATA=/data WARMGATE_SECRETS=/data/secrets WARMGATE_TOKEN_KEYS=/data/token-keys.json
USER 65532:65532
WORKDIR /data
VOLUME /data
ENTRYPOINT ["/warmgate"]
CMD ["serve", "-c", "/etc/warmgate/gateway.yaml"]
