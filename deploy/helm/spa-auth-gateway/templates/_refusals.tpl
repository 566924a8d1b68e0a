{{/* Values that are each well, and do not go together; each with what to do. */}}
{{- define "refusals" -}}
{{- $v := .Values }}
{{- $sidecar := eq $v.mode "sidecar" }}
{{- $sqlite := eq $v.state.kind "sqlite" }}
{{- range $key := list "public_url" "upstreams" "provider" }}
{{- if not (get $v.config $key) }}
{{- fail (printf "config.%s is missing: `config` is gateway.yaml, as docs/configuration.md has it" $key) }}
{{- end }}
{{- end }}
{{- if not $v.secrets.existingSecret }}
{{- fail "secrets.existingSecret is missing: make a Secret with the session keys and the client's secret (kubectl create secret generic NAME --from-file=session-key --from-file=session-key-before --from-file=client-secret) and name it here" }}
{{- end }}
{{- range $path, $where := dict
  "listen" "the chart listens on 8080"
  "probes.listen" "the chart has them on 9091"
  "session.key_files" "say it in secrets.sessionKeys"
  "provider.client_secret_file" "say it in secrets.clientSecret"
  "state" "say it in state"
  "redis.password_file" "say it in state.redis.passwordKey"
  "redis.ca_file" "say it in state.redis.caKey"
  "redis.spool" "the chart has it on a volume of the pod"
  "timeouts.drain_accept" "say it in drain.accept"
  "timeouts.drain" "say it in drain.finish"
}}
{{- $found := $v.config }}
{{- range splitList "." $path }}{{ $found = ternary (get $found .) "" (hasKey $found .) | default dict }}{{ end }}
{{- if $found }}
{{- fail (printf "config.%s is set by the chart: leave it out, %s" $path $where) }}
{{- end }}
{{- end }}
{{- with regexFind `(?m)^[ -]*(client_secret|other_client_secret|password|secret|token):` (toYaml $v.config) }}
{{- fail (printf "config has a secret in it (`%s`): put it into the Secret of secrets.existingSecret, and write `%s_file: /run/secrets/gateway/KEY`" (trimAll " -" .) (trimAll " -:" .)) }}
{{- end }}
{{- if regexMatch "://[^/@\\s]*:[^/@\\s]+@" (toYaml $v.config) }}
{{- fail "config has a password in an address, and everybody who reads the ConfigMap could read it: name an address that needs none" }}
{{- end }}
{{- if and $sqlite (gt (int $v.replicas) 1) }}
{{- fail "replicas is more than 1, and state.kind is sqlite: a state file is of one pod, and another one would not hear of its sign-outs; set state.kind to redis" }}
{{- end }}
{{- if and $sqlite $v.autoscaling.enabled }}
{{- fail "autoscaling needs state.kind redis: a state file is of one pod" }}
{{- end }}
{{- if not (or $sqlite $v.state.redis.url) }}
{{- fail "state.redis.url is missing: rediss://user@host:6380/0, docs/redis.md has the others" }}
{{- end }}
{{- if and (contains "@" $v.state.redis.url) (not $v.state.redis.passwordKey) }}
{{- fail "state.redis.passwordKey is missing: state.redis.url names a user, whose password is in secrets.existingSecret under this key" }}
{{- end }}
{{- if and $sidecar (not $v.application.containers) }}
{{- fail "application.containers is missing: a sidecar stands beside an application; name its containers, or set mode to standalone" }}
{{- end }}
{{- if and (not $sidecar) $v.application.containers }}
{{- fail "application.containers are for mode sidecar: in standalone the application has pods of its own; leave them out" }}
{{- end }}
{{- if and (not $sidecar) $v.networkPolicy.enabled (not $v.application.podSelector) }}
{{- fail "application.podSelector is missing: the labels of the application's pods, so that nobody reaches them but the gateway; if they cannot be kept so, set networkPolicy.enabled to false" }}
{{- end }}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs is missing: name the Gateway that the route belongs to" }}
{{- end }}
{{- end }}
