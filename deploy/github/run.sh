#!/usr/bin/env bash
# Runs `python -m deploy.ci`, by the inputs of action.yml, which come as variables: no text of an
# input is ever read as a command. Also the script of deploy/gitlab/releases.yml.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${CI_COMMAND:?it is plan or start}" "${CI_ENVIRONMENT:?it is the folder of install.sh}"

# An input that was left out comes as an empty variable, and that is no setting.
for name in TEMPORAL_ADDRESS TEMPORAL_NAMESPACE TEMPORAL_API_KEY TEMPORAL_TLS \
  TEMPORAL_TLS_CLIENT_CERT_DATA TEMPORAL_TLS_CLIENT_KEY_DATA TEMPORAL_TLS_SERVER_CA_CERT_DATA \
  TEMPORAL_UI_URL RELEASES_TASK_QUEUE RELEASES_CODEC_KEYS; do
  if [[ -z "${!name:-}" ]]; then unset "$name"; fi
done

options=()
if [[ "${CI_COMMENT:-true}" != true ]]; then options+=(--no-comment); fi
if [[ "${CI_FOLLOW:-true}" != true ]]; then options+=(--no-follow); fi
if [[ -n "${CI_RELEASE_ID:-}" ]]; then options+=("--id=$CI_RELEASE_ID"); fi

export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
# `exec`: the signal that ends a job reaches it.
exec "$CI_ENVIRONMENT/bin/python" -m deploy.ci "${options[@]}" "$CI_COMMAND" ${CI_TARGET:+"$CI_TARGET"}
