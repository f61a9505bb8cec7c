{{- define "k8s-doctor.labels" -}}
app.kubernetes.io/name: k8s-doctor
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "k8s-doctor.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What both pods share: no rights but those of the service account, nothing to write to. */}}
{{- define "k8s-doctor.pod" -}}
serviceAccountName: {{ .Release.Name }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.ignore }}
volumes:
  - name: ignore
    configMap: { name: {{ .Release.Name }}-ignore }
{{- end }}
{{- end }}

{{- define "k8s-doctor.container" -}}
image: {{ include "k8s-doctor.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- if .Values.ignore }}
volumeMounts:
  - { name: ignore, mountPath: /etc/k8s-doctor, readOnly: true }
{{- end }}
{{- end }}
