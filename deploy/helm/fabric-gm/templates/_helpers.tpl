{{- /* Image of a kind, at the release's version. */ -}}
{{- define "image" -}}
{{- .root.Values.registry }}fabric-gm-{{ .kind }}:{{ .root.Values.version | default .root.Chart.AppVersion }}
{{- end }}

{{- define "labels" -}}
app.kubernetes.io/name: fabric-gm
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .kind }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Values.version | default .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
fabric.hyperledger.org/organization: {{ .root.Values.organization | quote }}
{{- end }}

{{- define "selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .kind }}
{{- with .short }}
fabric.hyperledger.org/node: {{ . }}
{{- end }}
{{- end }}

{{- /* What containers may do: nothing that a node does not need. */ -}}
{{- define "containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* A folder of a node: configuration, and the files of its Secret at their places. One mount, so that Kubernetes can replace the
files while the node runs; a reload takes them up. */ -}}
{{- define "folder" -}}
- name: folder
  projected:
    defaultMode: 0440
    sources:
      {{- if .node.config }}
      - secret: {name: {{ .root.Release.Name }}-{{ .short }}}
      {{- end }}
      - secret:
          name: {{ required (printf "%s: keys names no Secret" .short) .node.keys }}
          items:
            {{- range $key, $path := .files }}
            - {key: {{ $key }}, path: {{ $path }}}
            {{- end }}
{{- end }}

{{- define "scheduling" -}}
{{- with .root.Values.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.hostAliases }}
hostAliases: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- if .root.Values.antiAffinity }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{ include "selector" (dict "root" .root "kind" .kind) | nindent 14 }}
{{- end }}
{{- end }}
