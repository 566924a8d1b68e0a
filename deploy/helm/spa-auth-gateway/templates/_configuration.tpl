{{/* gateway.yaml: what the user has written, and what only the chart can know. */}}
{{- define "configuration" -}}
{{- $secret := "/run/secrets/gateway" }}
{{- $keys := list }}
{{- range .Values.secrets.sessionKeys }}{{ $keys = append $keys (printf "%s/%s" $secret .) }}{{ end }}
{{- $own := dict
  "listen" "0.0.0.0:8080"
  "probes" (dict "listen" "0.0.0.0:9091")
  "session" (dict "key_files" $keys)
  "timeouts" (dict "drain_accept" (printf "%ds" (int .Values.drain.accept)) "drain" (printf "%ds" (int .Values.drain.finish)))
}}
{{- with .Values.secrets.clientSecret }}
{{- $_ := set $own "provider" (dict "client_secret_file" (printf "%s/%s" $secret .)) }}
{{- end }}
{{- if eq .Values.state.kind "sqlite" }}
{{- $_ := set $own "state" "sqlite:///var/lib/gateway/state.db" }}
{{- else }}
{{- $_ := set $own "state" .Values.state.redis.url }}
{{- $redis := dict "spool" "/var/lib/gateway" }}
{{- with .Values.state.redis.passwordKey }}{{ $_ := set $redis "password_file" (printf "%s/%s" $secret .) }}{{ end }}
{{- with .Values.state.redis.caKey }}{{ $_ := set $redis "ca_file" (printf "%s/%s" $secret .) }}{{ end }}
{{- $_ := set $own "redis" $redis }}
{{- end }}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $own) }}
{{- end }}
