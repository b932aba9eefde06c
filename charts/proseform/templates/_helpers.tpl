{{- /* What all names begin with: the release, and within a chart of others' the chart too, so that none of theirs is met. */ -}}
{{- define "proseform.fullname" -}}
{{ if .Chart.IsRoot }}{{ .Release.Name }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name }}{{ end }}
{{- end }}

{{- define "proseform.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  app.kubernetes.io/name: {{ .root.Chart.Name }}
  app.kubernetes.io/instance: {{ .root.Release.Name }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  {{- include "proseform.selector" . | nindent 2 }}
{{- end }}

{{- /* By what pods are found; the same labels that the builders of proseform.kube give. */ -}}
{{- define "proseform.selector" -}}
app.kubernetes.io/part-of: proseform
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- /* The pods of one release alone: another in the same namespace has an MLflow of its own. */ -}}
{{- define "proseform.own" -}}
{{ include "proseform.selector" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "proseform.everywhere" -}}
{{ ternary "'::'" "0.0.0.0" .Values.ipv6 }}
{{- end }}

{{- define "proseform.image" -}}
{{ .repository }}:{{ .tag }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}

{{- /* What PodSecurity "restricted" wants of a pod, and no token. */ -}}
{{- define "proseform.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ int64 .Values.user }}
  runAsGroup: {{ int64 .Values.user }}
  fsGroup: {{ int64 .Values.user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "proseform.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- define "proseform.resources" -}}
requests:
  cpu: {{ .cpu | quote }}
  memory: {{ .memory | quote }}
limits:
  cpu: {{ .cpu | quote }}
  memory: {{ .memory | quote }}
{{- end }}

{{- define "proseform.mlflow.claimed" -}}
{{- if not (and .Values.mlflow.database.secret .Values.objectStore.bucket) }}yes{{ end }}
{{- end }}
