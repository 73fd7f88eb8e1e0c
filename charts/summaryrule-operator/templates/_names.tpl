{{/* Names and labels. A release called like the chart (the documented one) gets exactly that name. */}}

{{- define "sr.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sr.webhook" -}}{{ include "sr.fullname" . }}-webhook{{- end -}}
{{- define "sr.worker" -}}{{ include "sr.fullname" . }}-worker{{- end -}}
{{- define "sr.cleanup" -}}{{ include "sr.fullname" . }}-cleanup{{- end -}}
{{- define "sr.test" -}}{{ include "sr.fullname" . }}-test{{- end -}}

{{- define "sr.webhook.serviceAccount" -}}
{{- default (include "sr.webhook" .) .Values.webhook.serviceAccount.name -}}
{{- end -}}

{{- define "sr.worker.serviceAccount" -}}
{{- default (include "sr.worker" .) .Values.worker.serviceAccount.name -}}
{{- end -}}

{{- define "sr.worker.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "sr.worker.serviceAccount" . }}
{{- end -}}

{{- define "sr.caSecret" -}}{{ include "sr.webhook" . }}-ca{{- end -}}

{{/* The Secret that is mounted as files: cert-manager's or the user's own. Empty in mode self. */}}
{{- define "sr.tlsSecret" -}}
{{- if eq .Values.certificates.mode "certManager" -}}
{{- include "sr.webhook" . }}-tls
{{- else if eq .Values.certificates.mode "existingSecret" -}}
{{- required "certificates.existingSecret.name is missing: write the name of a kubernetes.io/tls Secret in the release namespace that also holds ca.crt" .Values.certificates.existingSecret.name -}}
{{- end -}}
{{- end -}}

{{- define "sr.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "sr.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sr.labels" -}}
{{ include "sr.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sr.ownership" -}}
- {{ ternary "--adopt-unowned" "--no-adopt-unowned" .Values.worker.adoptUnowned }}
{{- range .Values.worker.adoptOwners }}
- {{ printf "--adopt-owner=%s" . | quote }}
{{- end }}
{{- end }}
