# Docker Hub's Debian, as far as .devcontainer/Dockerfile needs it: see base.py.
ARG ROOT_IMAGE
FROM ${ROOT_IMAGE}

# The package clients trust what this machine trusts, also after an upgrade of ca-certificates.
COPY authorities.crt /usr/local/share/ca-certificates/authorities.crt
RUN cat /usr/local/share/ca-certificates/authorities.crt >> /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
