{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{- define "remit.match" -}}
app.kubernetes.io/name: remit
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "remit.labels" -}}
{{ include "remit.match" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{/* remit.yaml as it is in the cluster. */}}
{{- define "remit.config" -}}
{{- $given := fromYaml (index .Values.bundle "remit.yaml") }}
{{- if hasKey $given "Error" }}{{ fail (printf "bundle.remit.yaml is not YAML: %s" $given.Error) }}{{ end }}
{{- $own := dict
  "listen" (dict "host" "0.0.0.0" "port" 8700 "public_url" .Values.publicUrl
    "tls" (dict "certificate" "/run/secrets/tls/tls.crt" "key" "/run/secrets/tls/tls.key"))
  "store" (dict "kind" "postgres" "url" "file:/run/secrets/remit/postgres")
  "replica" (dict "address" "env:REMIT_ADDRESS" "tls_ca" "/run/secrets/tls/ca.crt")
  "keys" (dict "path" "/var/lib/remit/keys")
  "log_head" (dict "path" "/var/lib/remit/head") }}
{{- mergeOverwrite $given $own | toYaml }}
{{- end }}
