{{/* What the worker and `helm test` have in common. */}}

{{- define "releases.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "releases.fullname" . }}
{{- $secret := include "releases.apiKeySecret" . }}
{{- if or $secret .Values.extraEnv }}
env:
  {{- if $secret }}
  - name: TEMPORAL_API_KEY
    valueFrom:
      secretKeyRef:
        name: {{ $secret }}
        key: {{ .Values.temporal.apiKey.key }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "releases.hardening" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "releases.mounts" -}}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- with .Values.temporal }}
  {{- if .tls.existingSecret }}
  - name: temporal-tls
    mountPath: /etc/releases/temporal-tls
    readOnly: true
  {{- end }}
  {{- if .tls.caSecret }}
  - name: temporal-ca
    mountPath: /etc/releases/temporal-ca
    readOnly: true
  {{- end }}
  {{- if .config.existingSecret }}
  - name: temporal-config
    mountPath: /etc/releases/temporal
    readOnly: true
  {{- end }}
  {{- end }}
  {{- if include "releases.codecSecret" . }}
  - name: codec
    mountPath: /etc/releases/codec
    readOnly: true
  {{- end }}
  {{- if .Values.places }}
  - name: places
    mountPath: /etc/releases/places
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "releases.volumes" -}}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
  {{- with .Values.temporal }}
  {{- if .tls.existingSecret }}
  - name: temporal-tls
    secret:
      secretName: {{ .tls.existingSecret }}
      defaultMode: 0440
      items:
        - {key: tls.crt, path: tls.crt}
        - {key: tls.key, path: tls.key}
  {{- end }}
  {{- if .tls.caSecret }}
  - name: temporal-ca
    secret:
      secretName: {{ .tls.caSecret }}
      items:
        - {key: ca.crt, path: ca.crt}
  {{- end }}
  {{- if .config.existingSecret }}
  - name: temporal-config
    secret:
      secretName: {{ .config.existingSecret }}
      defaultMode: 0440
      items:
        - {key: temporal.toml, path: temporal.toml}
  {{- end }}
  {{- end }}
  {{- with include "releases.codecSecret" . }}
  - name: codec
    secret:
      secretName: {{ . }}
      defaultMode: 0440
      items:
        - {key: {{ $.Values.codec.key }}, path: keys}
  {{- end }}
  {{- if .Values.places }}
  - name: places
    configMap:
      name: {{ include "releases.fullname" . }}-places
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
