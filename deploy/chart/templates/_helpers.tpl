{{- define "releases.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of every object: the release's, which may hold the chart's. */}}
{{- define "releases.fullname" -}}
{{- $name := include "releases.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "releases.selector" -}}
app.kubernetes.io/name: {{ include "releases.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{- define "releases.labels" -}}
{{ include "releases.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "releases.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "releases.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "releases.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* Seconds from SIGTERM to SIGKILL: RELEASES_GRACE, at least the worker's own 30 s, and a margin. */}}
{{- define "releases.terminationSeconds" -}}
{{- $grace := .Values.settings.RELEASES_GRACE | default "15m" -}}
{{- $unit := get (dict "s" 1 "m" 60 "h" 3600) (regexFind "[smh]$" $grace) -}}
{{- add (max 30 (mul (regexFind "^[0-9]+" $grace | int) $unit)) 20 -}}
{{- end -}}

{{- define "releases.apiKeySecret" -}}
{{- if .Values.temporal.apiKey.existingSecret -}}
{{ .Values.temporal.apiKey.existingSecret }}
{{- else if .Values.temporal.apiKey.value -}}
{{ include "releases.fullname" . }}
{{- end -}}
{{- end -}}

{{- define "releases.codecSecret" -}}
{{- if .Values.codec.existingSecret -}}
{{ .Values.codec.existingSecret }}
{{- else if .Values.codec.keys -}}
{{ include "releases.fullname" . }}
{{- end -}}
{{- end -}}

{{/* The task queues that the workers serve, in a list. */}}
{{- define "releases.queues" -}}
{{- $queues := list -}}
{{- range .Values.places -}}
{{- $queues = append $queues (.task_queue | default (printf "lambda-releases:%s:%s" .account .region)) -}}
{{- end -}}
{{- if not $queues -}}
{{- $queues = list (.Values.settings.RELEASES_TASK_QUEUE | default "lambda-releases") -}}
{{- end -}}
{{- toJson $queues -}}
{{- end -}}

{{/* Values that contradict each other, which no schema of each alone can find. */}}
{{- define "releases.check" -}}
{{- $temporal := .Values.temporal -}}
{{- $one := or $temporal.apiKey.existingSecret $temporal.apiKey.value $temporal.tls.existingSecret $temporal.tls.caSecret $temporal.tls.serverName -}}
{{- if $temporal.config.existingSecret -}}
{{- if or $temporal.address $one -}}
{{- fail "temporal.config.existingSecret: its temporal.toml holds address, key and certificates: unset the others in temporal" -}}
{{- end -}}
{{- else if not $temporal.address -}}
{{- fail "temporal.address: name Temporal's host and port, such as --set temporal.address=temporal-frontend.temporal:7233" -}}
{{- end -}}
{{- if and $temporal.apiKey.existingSecret $temporal.apiKey.value -}}
{{- fail "temporal.apiKey: existingSecret or value, not both" -}}
{{- end -}}
{{- if and .Values.codec.existingSecret .Values.codec.keys -}}
{{- fail "codec: existingSecret or keys, not both" -}}
{{- end -}}
{{- if .Values.places -}}
{{- range $setting := list "RELEASES_TASK_QUEUE" "RELEASES_ACCOUNT" -}}
{{- if hasKey $.Values.settings $setting -}}
{{- fail (printf "settings.%s: each of the places has its own: unset it" $setting) -}}
{{- end -}}
{{- end -}}
{{- else if not .Values.aws.region -}}
{{- fail "aws.region: name the region that the workers serve, such as --set aws.region=eu-west-1; or list places" -}}
{{- end -}}
{{- if ne (empty .Values.versioning.deploymentName) (empty .Values.versioning.buildId) -}}
{{- fail "versioning: deploymentName and buildId together turn Worker Versioning on: set both or none" -}}
{{- end -}}
{{- if and (eq .Values.autoscaling.kind "keda") $temporal.config.existingSecret -}}
{{- fail "autoscaling.kind: keda asks Temporal by temporal.address: it cannot read a temporal.toml" -}}
{{- end -}}
{{- if and (eq .Values.autoscaling.kind "hpa") (not .Values.autoscaling.hpa.cpu) (not .Values.autoscaling.hpa.metrics) -}}
{{- fail "autoscaling.hpa: name cpu, or metrics, or both" -}}
{{- end -}}
{{- if lt (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas) -}}
{{- fail "autoscaling.maxReplicas: is less than minReplicas" -}}
{{- end -}}
{{- end -}}
