{{/* The gateway's container. */}}
{{- define "gateway" -}}
{{- $v := .Values -}}
- name: gateway
  image: {{ $v.image.repository }}{{ if $v.image.digest }}@{{ $v.image.digest }}{{ else }}:{{ $v.image.tag | default .Chart.AppVersion }}{{ end }}
  {{- if gt (int $v.workers) 1 }}
  args: [serve, --config, /etc/gateway/gateway.yaml, --workers, {{ $v.workers | quote }}]
  {{- end }}
  {{- if eq $v.mode "sidecar" }}
  restartPolicy: Always
  # The kubelet stops a native sidecar only after the application. Clients with kept connections have to be asked to leave
  # before that, so the gateway is told at once: it accepts for some seconds more, and each answer says goodbye.
  lifecycle:
    preStop:
      exec: {command: [python, -c, "import os; os.kill(1, 15)"]}
  {{- end }}
  ports:
    - {name: http, containerPort: 8080}
    - {name: probes, containerPort: 9091}
  startupProbe:
    httpGet: {path: /startupz, port: probes}
    periodSeconds: 1
    failureThreshold: 60
  readinessProbe:
    httpGet: {path: /readyz, port: probes}
    periodSeconds: 2
  livenessProbe:
    httpGet: {path: /livez, port: probes}
    periodSeconds: 10
  resources:
    {{- toYaml $v.resources | nindent 4 }}
  securityContext:
    runAsUser: 10001
    runAsGroup: 10001
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
  volumeMounts:
    - {name: gateway-config, mountPath: /etc/gateway, readOnly: true}
    # Whole: with subPath a changed secret would never arrive.
    - {name: gateway-secrets, mountPath: /run/secrets/gateway, readOnly: true}
    - {name: gateway-state, mountPath: /var/lib/gateway}
    - {name: gateway-tmp, mountPath: /tmp}
{{- end }}
