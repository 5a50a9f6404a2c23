#!/usr/bin/env bash
# Check everything here by the tools that are at hand and need no daemon; says which are not.
# With the name of a tool: by that one alone.
set -euo pipefail
cd "$(dirname "$0")"
only=${1:-}

with() {  # TOOL ARGUMENTS…
    if [ "${only:-$1}" != "$1" ]; then return 0; fi
    if ! command -v "$1" >/dev/null; then echo "not at hand: $1"; return 0; fi
    echo "$*"
    "$@"
}

with hadolint Dockerfile
with check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
with yamllint --strict -d '{extends: default, rules: {line-length: {max: 110}, document-start: disable}}' \
    compose.yaml prometheus grafana/provisioning chart/values.yaml chart/Chart.yaml
with promtool check config --syntax-only prometheus/prometheus.yaml
with promtool check rules prometheus/alerts.yaml
with promtool test rules prometheus/alerts_test.yaml
with nginx -t -e /dev/null -c "$PWD/proxy/nginx.conf"
with helm lint --strict chart
if [ "${only:-kubernetes-validate}" = kubernetes-validate ] && command -v helm >/dev/null; then
    rendered=$(mktemp --directory)
    trap 'rm -rf "$rendered"' EXIT
    for more in "" "--set ingress.enabled=true,networkPolicy.enabled=true,worker.autoscaling.enabled=true" \
        "--set page.enabled=false,api.autoscaling.enabled=false,encoder.autoscaling.enabled=false"; do
        # shellcheck disable=SC2086
        helm template shop chart --kube-version v1.25.0 $more \
            >"$(mktemp --suffix .yaml --tmpdir="$rendered")"
    done
    for version in 1.25 1.30; do
        with kubernetes-validate --quiet --strict -k "$version" "$rendered"/*.yaml
    done
elif [ "${only:-kubernetes-validate}" = kubernetes-validate ]; then
    echo "not at hand: helm, which renders what kubernetes-validate checks"
fi
