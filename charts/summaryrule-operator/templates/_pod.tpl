{{/* What every pod of the chart has in common: the restricted pod security profile, and its scheduling. */}}

{{/* On OpenShift the restricted SCC assigns users and groups itself, and refuses fixed ones. */}}
{{- define "sr.podSecurityContext" -}}
{{- $context := deepCopy (default dict .Values.podSecurityContext) -}}
{{- $isOpenShift := .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- $adapt := default "auto" .Values.adaptSecurityContext -}}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") $isOpenShift) -}}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" -}}
{{- end -}}
{{- toYaml $context -}}
{{- end -}}

{{- define "sr.pod.security" -}}
securityContext:
  {{- include "sr.podSecurityContext" . | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sr.container.image" -}}
image: {{ include "sr.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The network of a pod. Call with the values of its component. */}}
{{- define "sr.pod.network" -}}
{{- if .hostNetwork }}
hostNetwork: true
{{- end }}
{{- with default (ternary "ClusterFirstWithHostNet" "" (default false .hostNetwork)) .dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A probe: what is asked, with the settings of the values. Call with (dict "get" … "settings" …). */}}
{{- define "sr.probe" -}}
{{- toYaml (mergeOverwrite (dict "httpGet" .get) (default dict .settings)) -}}
{{- end -}}

{{/* The pods of hooks and tests. */}}
{{- define "sr.hook.scheduling" -}}
{{- with .Values.hooks }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Call with (dict "root" $ "component" "webhook" "values" .Values.webhook). */}}
{{- define "sr.pod.scheduling" -}}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "sr.selector" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
  {{- end }}
  {{- end }}
{{- end -}}

{{/* Python's temporary folder: the root file system is read-only. */}}
{{- define "sr.scratch.env" -}}
- name: TMPDIR
  value: /run/summaryrule
{{- end -}}

{{- define "sr.scratch.mount" -}}
- name: scratch
  mountPath: /run/summaryrule
{{- end -}}

{{- define "sr.scratch.volume" -}}
- name: scratch
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{- end -}}

{{- define "sr.extraEnv" -}}
{{- range $name, $value := .env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The login of the worker with a client secret, and a company's CA certificates. */}}
{{- define "sr.worker.env" -}}
{{- with .Values.kusto.clientSecret }}
{{- if .existingSecret }}
{{- range $name, $key := dict "AZURE_TENANT_ID" .tenantIdKey "AZURE_CLIENT_ID" .clientIdKey "AZURE_CLIENT_SECRET" .clientSecretKey }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.kusto.clientSecret.existingSecret }}
      key: {{ $key }}
{{- end }}
{{- end }}
{{- end }}
{{- with include "sr.caBundle.path" . }}
{{- $path := . }}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" }}
- name: {{ . }}
  value: {{ $path }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where a company's CA certificates are in the pod; empty where none are configured. */}}
{{- define "sr.caBundle.path" -}}
{{- with .Values.caBundle }}
{{- if or .configMap .secret -}}
/etc/summaryrule/ca/{{ .key }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "sr.caBundle.mount" -}}
{{- if include "sr.caBundle.path" . }}
- name: ca-bundle
  mountPath: /etc/summaryrule/ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "sr.caBundle.volume" -}}
{{- with .Values.caBundle }}
{{- if and .configMap .secret }}
{{- fail "caBundle.configMap and caBundle.secret are both set: write one of them" }}
{{- end }}
{{- with .configMap }}
- name: ca-bundle
  configMap:
    name: {{ . }}
{{- end }}
{{- with .secret }}
- name: ca-bundle
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end -}}
