{{/* The label that selects the pods, and nothing else. */}}
{{- define "selector" -}}
app.kubernetes.io/name: spa-auth-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "metadata" -}}
name: {{ .Release.Name }}
{{ include "belongs" . }}
{{- end }}

{{/* The same for a second object of a kind. */}}
{{- define "metrics.metadata" -}}
name: {{ .Release.Name }}-metrics
{{ include "belongs" . }}
  app.kubernetes.io/component: metrics
{{- end }}
{{- define "application.metadata" -}}
name: {{ .Release.Name }}-application
{{ include "belongs" . }}
{{- end }}

{{- define "belongs" -}}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "host" -}}
{{ regexReplaceAll "^https?://([^:/]+).*$" .Values.config.public_url "${1}" }}
{{- end }}

{{/* Seconds that the application goes on after the pod's end has begun: until the gateway accepts nobody, and some more. */}}
{{- define "sleep" -}}
{{ add .Values.drain.accept 5 }}
{{- end }}

{{/* Of the whole pod: the gateway's drain, and beside it the application's sleep and end. */}}
{{- define "grace" -}}
{{- $own := add .Values.drain.accept .Values.drain.finish }}
{{- if eq .Values.mode "sidecar" }}
{{- $own = max $own (add (include "sleep" .) .Values.application.stopSeconds) }}
{{- end }}
{{- add $own 10 }}
{{- end }}
