// SPDX-License-Identifier: Apache-2.0

// Package helm tests the chart fabric-gm without a cluster: Helm's own code lints and renders it, every manifest is decoded strictly into
// the API's types, and containers run with what the manifests say.
package helm

import (
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const (
	chart      = "../fabric-gm"
	consortium = "../../../build/bin/consortium"
	release    = "port"
	plan       = `channel: trade
mode: MODE
organizations:
  - name: Port
    mspID: PortMSP
    domain: port.example
    certificates: openssl
    hosts:
      - name: port1
        address: 10.77.0.2
        run: kubernetes
        nodes:
          - {name: orderer0, kind: orderer, port: 7050, admin: 7055, operations: 8443}
          - {name: peer0, kind: peer, port: 7051, launched: 7052, operations: 9443}
          - {name: ledger, kind: chaincode, port: 7060, image: fabric-gm-asset}
`
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// planned writes the files of an organisation for Kubernetes and returns the folder of its host, and its values with a package id.
func planned(t *testing.T, mode string) (dir string, values map[string]any) {
	t.Helper()
	dir = t.TempDir()
	file := filepath.Join(dir, "consortium.yaml")
	must(t, os.WriteFile(file, []byte(strings.Replace(plan, "MODE", mode, 1)), 0o600))
	out, err := exec.Command(consortium, "plan", "--file", file, "--organization", "Port", "--out", filepath.Join(dir, "Port")).CombinedOutput()
	if err != nil {
		t.Fatalf("make build first: %v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "Port/port1/values.yaml"))
	must(t, err)
	must(t, yaml.UnmarshalStrict(text, &values))
	values["chaincodes"].(map[string]any)["ledger"].(map[string]any)["packageID"] = "ledger_1:0123"
	return filepath.Join(dir, "Port"), values
}

// manifests are what the chart renders, decoded.
type manifests struct {
	statefulSets map[string]*appsv1.StatefulSet
	deployments  map[string]*appsv1.Deployment
	services     map[string]*corev1.Service
	configMaps   map[string]*corev1.ConfigMap
	secrets      map[string]*corev1.Secret
	budgets      map[string]*policyv1.PodDisruptionBudget
	policies     map[string]*networkingv1.NetworkPolicy
	others       map[string]map[string]any // of Prometheus' operator, by kind
}

func render(t *testing.T, values map[string]any) (*manifests, error) {
	t.Helper()
	c, err := loader.Load(chart)
	must(t, err)
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: release, Namespace: "fabric"}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	m := &manifests{
		map[string]*appsv1.StatefulSet{}, map[string]*appsv1.Deployment{}, map[string]*corev1.Service{}, map[string]*corev1.ConfigMap{}, map[string]*corev1.Secret{},
		map[string]*policyv1.PodDisruptionBudget{}, map[string]*networkingv1.NetworkPolicy{}, map[string]map[string]any{},
	}
	for name, text := range files {
		for _, doc := range strings.Split(text, "\n---\n") {
			if strings.TrimSpace(strings.Trim(doc, "-\n ")) == "" {
				continue
			}
			if err := m.add([]byte(doc)); err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, doc)
			}
		}
	}
	return m, nil
}

// into decodes strictly and files an object under its name.
func into[T any](all map[string]*T, doc []byte, name string) error {
	object := new(T)
	all[name] = object
	return yaml.UnmarshalStrict(doc, object)
}

func (m *manifests) add(doc []byte) error {
	var head struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
	}
	if err := yaml.Unmarshal(doc, &head); err != nil {
		return err
	}
	name := head.Metadata.Name
	switch head.APIVersion + " " + head.Kind {
	case "apps/v1 StatefulSet":
		return into(m.statefulSets, doc, name)
	case "apps/v1 Deployment":
		return into(m.deployments, doc, name)
	case "v1 Service":
		return into(m.services, doc, name)
	case "v1 ConfigMap":
		return into(m.configMaps, doc, name)
	case "v1 Secret":
		return into(m.secrets, doc, name)
	case "policy/v1 PodDisruptionBudget":
		return into(m.budgets, doc, name)
	case "networking.k8s.io/v1 NetworkPolicy":
		return into(m.policies, doc, name)
	case "monitoring.coreos.com/v1 ServiceMonitor", "monitoring.coreos.com/v1 PrometheusRule":
		var object map[string]any
		err := yaml.UnmarshalStrict(doc, &object)
		m.others[head.Kind] = object
		return err
	}
	return errors.New("it is of an unknown type " + head.APIVersion + " " + head.Kind)
}

func TestLint(t *testing.T) {
	_, values := planned(t, "gm")
	for _, message := range lint.All(chart, values, "fabric", true).Messages {
		if message.Severity > support.InfoSev {
			t.Error(message)
		}
	}
}

// pod is what StatefulSets and Deployments have in common.
func (m *manifests) pods() map[string]corev1.PodTemplateSpec {
	all := map[string]corev1.PodTemplateSpec{}
	for name, s := range m.statefulSets {
		all[name] = s.Spec.Template
	}
	for name, d := range m.deployments {
		all[name] = d.Spec.Template
	}
	return all
}

func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}

// TestRender: what must hold of every pod, and who selects whom.
func TestRender(t *testing.T) {
	_, values := planned(t, "gm")
	m, err := render(t, values)
	must(t, err)
	pods := m.pods()
	if len(pods) != 3 {
		t.Fatalf("%d pods", len(pods))
	}
	requireConfined(t, pods)
	for name, pod := range pods {
		spec := pod.Spec
		if len(spec.HostAliases) != 1 || spec.HostAliases[0].IP != "10.77.0.2" {
			t.Errorf("%s: host aliases %v", name, spec.HostAliases)
		}
		for _, c := range spec.Containers {
			if c.Name == "chaincode" {
				continue
			}
			for what, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe} {
				if probe == nil || probe.Exec == nil || !slices.Equal(probe.Exec.Command, []string{"/usr/local/bin/" + c.Name, "--health"}) || probe.TimeoutSeconds != 6 {
					t.Errorf("%s: %s probe %+v", name, what, probe)
				}
			}
			// --health is red while a device or a database is away, which is no reason to end a node.
			if probe := c.LivenessProbe; probe == nil || probe.TCPSocket == nil || probe.TCPSocket.Port.StrVal != "grpc" || probe.Exec != nil {
				t.Errorf("%s: liveness probe %+v", name, probe)
			}
		}
		selected := 0
		for _, service := range m.services {
			if selects(service.Spec.Selector, pod.Labels) {
				selected++
			}
		}
		if want := map[bool]int{true: 1, false: 2}[name == "port-ledger"]; selected != want {
			t.Errorf("%s: %d services select it, wanted %d", name, selected, want)
		}
		guarded := 0
		for _, policy := range m.policies {
			if selects(policy.Spec.PodSelector.MatchLabels, pod.Labels) {
				guarded++
			}
		}
		if guarded != 1 {
			t.Errorf("%s: %d network policies", name, guarded)
		}
	}
	for _, kind := range []string{"orderer", "peer"} {
		budget := m.budgets["port-"+kind+"s"]
		if budget == nil || budget.Spec.MaxUnavailable.IntValue() != 1 || !selects(budget.Spec.Selector.MatchLabels, pods["port-"+kind+"0"].Labels) {
			t.Errorf("budget of %ss: %+v", kind, budget)
		}
	}
	requirePolicies(t, m, pods)
}

// requireConfined: what no pod and no container may do, and that each container has a limit of memory.
func requireConfined(t *testing.T, pods map[string]corev1.PodTemplateSpec) {
	t.Helper()
	for name, pod := range pods {
		spec := pod.Spec
		if s := spec.SecurityContext; s == nil || !*s.RunAsNonRoot || *s.RunAsUser != 10001 || *s.FSGroup != 10001 || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: security context %+v", name, s)
		}
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			t.Errorf("%s: it gets a token of the cluster", name)
		}
		for _, c := range spec.Containers {
			if s := c.SecurityContext; s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
				t.Errorf("%s: container %s: security context %+v", name, c.Name, s)
			}
			if c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s: container %s has no limit of memory", name, c.Name)
			}
		}
	}
}

// requirePolicies: chaincode is for peers alone and dials nobody; nobody but administrators reaches the admin service.
func requirePolicies(t *testing.T, m *manifests, pods map[string]corev1.PodTemplateSpec) {
	t.Helper()
	chaincode := m.policies["port-ledger"].Spec
	from := chaincode.Ingress[0].From
	if len(chaincode.Ingress) != 1 || len(from) != 1 || !selects(from[0].PodSelector.MatchLabels, pods["port-peer0"].Labels) || selects(from[0].PodSelector.MatchLabels, pods["port-orderer0"].Labels) {
		t.Errorf("chaincode: %+v", chaincode)
	}
	if len(chaincode.Egress) != 0 || !slices.Contains(chaincode.PolicyTypes, networkingv1.PolicyTypeEgress) {
		t.Errorf("chaincode may dial: %+v", chaincode)
	}
	for _, rule := range m.policies["port-orderer0"].Spec.Ingress {
		if port := rule.Ports[0].Port.StrVal; port != "grpc" && len(rule.From) == 0 {
			t.Errorf("everybody reaches %s of the orderer", port)
		}
	}
}

// TestRefusedValues: what is misspelt or missing is refused before anything reaches a cluster.
func TestRefusedValues(t *testing.T) {
	for want, change := range map[string]func(values map[string]any){
		"peer":         func(v map[string]any) { v["peer"] = v["peers"] },
		"organization": func(v map[string]any) { delete(v, "organization") },
		"config":       func(v map[string]any) { delete(v["peers"].(map[string]any)["peer0"].(map[string]any), "config") },
		"packageID":    func(v map[string]any) { v["chaincodes"].(map[string]any)["ledger"].(map[string]any)["packageID"] = "" },
		"klass": func(v map[string]any) {
			v["peers"].(map[string]any)["peer0"].(map[string]any)["storage"] = map[string]any{"klass": "fast"}
		},
		"prometheus":           func(v map[string]any) { v["monitoring"] = map[string]any{"prometheus": true} },
		"speaks only TLCP":     func(v map[string]any) { v["monitoring"] = map[string]any{"serviceMonitor": true, "secret": "scraper"} },
		"keyd.claim":           func(v map[string]any) { v["keyd"] = map[string]any{"enabled": true, "config": "x"} },
		"ca.image is missing":  func(v map[string]any) { v["ca"] = map[string]any{"enabled": true, "config": "x"} },
		"ca.config is missing": func(v map[string]any) { v["ca"] = map[string]any{"enabled": true, "image": "x"} },
	} {
		_, values := planned(t, "gm")
		change(values)
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestPasswordsAreSecrets: a password in a node's configuration, as of CouchDB, is in a Secret that the node mounts, and in nothing that the
// cluster's role view may read. A PIN that the StatefulSet would show is refused.
func TestPasswordsAreSecrets(t *testing.T) {
	_, values := planned(t, "gm")
	for kind, short := range map[string]string{"peers": "peer0", "orderers": "orderer0"} {
		node := values[kind].(map[string]any)[short].(map[string]any)
		node["config"] = node["config"].(string) + "# a-password\n"
	}
	m, err := render(t, values)
	must(t, err)
	for name, file := range map[string]string{"port-peer0": "core.yaml", "port-orderer0": "orderer.yaml"} {
		if s := m.secrets[name]; s == nil || !strings.Contains(s.StringData[file], "a-password") {
			t.Errorf("no Secret %s with %s", name, file)
		}
		sources := m.statefulSets[name].Spec.Template.Spec.Volumes[0].Projected.Sources
		if sources[0].Secret == nil || sources[0].Secret.Name != name {
			t.Errorf("%s does not mount it: %+v", name, sources)
		}
	}
	m.secrets = nil
	public, err := yaml.Marshal([]any{m.configMaps, m.statefulSets, m.deployments, m.services, m.others})
	must(t, err)
	if strings.Contains(string(public), "a-password") {
		t.Error("who may read no Secret reads the password")
	}
	for _, pin := range []string{"pin: {environment: DEVICE_PIN}", "pin:\n  environment: \"DEVICE_PIN\"", `{"environment":"DEVICE_PIN"}`} {
		values["keyd"] = map[string]any{"enabled": true, "config": pin, "claim": "device", "environment": map[string]any{"DEVICE_PIN": "1234"}}
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), "keyd.environment: DEVICE_PIN is a PIN") {
			t.Errorf("%s: %v", pin, err)
		}
		values["keyd"].(map[string]any)["environment"] = map[string]any{"DEVICE": "1"}
		_, err := render(t, values)
		must(t, err)
	}
}

// TestExtras: CA, key daemon and monitoring, where they are asked for.
func TestExtras(t *testing.T) {
	_, values := planned(t, "dual")
	values["ca"] = map[string]any{"enabled": true, "image": "ca:1", "config": "port: 7054\n"}
	values["keyd"] = map[string]any{"enabled": true, "config": "listen: x\n", "claim": "device"}
	values["monitoring"] = map[string]any{"serviceMonitor": true, "secret": "scraper", "rules": true}
	m, err := render(t, values)
	must(t, err)
	requireConfined(t, m.pods())
	if m.statefulSets["port-ca"] == nil || m.secrets["port-ca"].StringData["fabric-ca-server-config.yaml"] != "port: 7054\n" {
		t.Error("no CA")
	}
	peer := m.statefulSets["port-peer0"].Spec.Template.Spec
	if len(peer.Containers) != 2 || !slices.Equal(peer.Containers[1].Args, []string{"serve", "--config", "/etc/gmkeyd/gmkeyd.yaml"}) {
		t.Errorf("no key daemon: %+v", peer.Containers)
	}
	// The daemon reads its configuration at its start alone.
	before := m.statefulSets["port-peer0"].Spec.Template
	values["keyd"].(map[string]any)["config"] = "listen: y\n"
	m, err = render(t, values)
	must(t, err)
	if maps.Equal(before.Annotations, m.statefulSets["port-peer0"].Spec.Template.Annotations) {
		t.Error("another configuration of the key daemon restarts no pod")
	}
	requireAlerts(t, m)
	if m.others["ServiceMonitor"] == nil {
		t.Error("no ServiceMonitor")
	}
}

// targetsOf finds the labels by which the alert NodeDown knows the nodes.
var targetsOf = regexp.MustCompile(`up\{namespace="(.*?)", service=~"(.*?)"\}`)

// requireAlerts: the rules are those of docs/monitoring, of which one is of all targets; here it is of what the ServiceMonitor finds.
func requireAlerts(t *testing.T, m *manifests) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/monitoring/alerts.yaml")
	must(t, err)
	var want any
	must(t, yaml.Unmarshal(text, &want))
	expected, err := yaml.Marshal(want)
	must(t, err)
	got, err := yaml.Marshal(m.others["PrometheusRule"]["spec"])
	must(t, err)
	targets := targetsOf.FindStringSubmatch(string(got))
	if targets == nil || targets[1] != "fabric" {
		t.Fatalf("NodeDown is of all targets of the cluster:\n%s", got)
	}
	if string(expected) != strings.Replace(string(got), targets[0], "up", 1) {
		t.Error("the chart's alert rules are not those of docs/monitoring: copy them")
	}
	service := regexp.MustCompile("^(?:" + targets[2] + ")$")
	for name, s := range m.services {
		if scraped := s.Labels["fabric.hyperledger.org/metrics"] == "true"; scraped != service.MatchString(name) {
			t.Errorf("service %s: scraped is %t, and NodeDown is of %s", name, scraped, targets[2])
		}
	}
}

// TestStorage: a node's storage replaces what it names of that of all nodes.
func TestStorage(t *testing.T) {
	_, values := planned(t, "gm")
	peer := values["peers"].(map[string]any)["peer0"].(map[string]any)
	values["storage"] = map[string]any{"size": "5Gi", "class": "slow"}
	for _, test := range []struct {
		own         map[string]any
		size, class string
	}{
		{nil, "5Gi", "slow"},
		{map[string]any{"class": "fast"}, "5Gi", "fast"},
		{map[string]any{"size": "9Gi"}, "9Gi", "slow"},
		{map[string]any{"size": "9Gi", "class": "fast"}, "9Gi", "fast"},
	} {
		delete(peer, "storage")
		if test.own != nil {
			peer["storage"] = test.own
		}
		m, err := render(t, values)
		must(t, err)
		claim := m.statefulSets["port-peer0"].Spec.VolumeClaimTemplates[0].Spec
		if class := claim.StorageClassName; class == nil || *class != test.class || claim.Resources.Requests.Storage().String() != test.size {
			t.Errorf("%v: %+v", test.own, claim)
		}
		other := m.statefulSets["port-orderer0"].Spec.VolumeClaimTemplates[0].Spec
		if *other.StorageClassName != "slow" || other.Resources.Requests.Storage().String() != "5Gi" {
			t.Errorf("%v of the peer: the orderer has %+v", test.own, other)
		}
	}
}

// runs tells of a program that is there.
func runs(name string, args ...string) bool { return exec.Command(name, args...).Run() == nil }

func output(t *testing.T, stdin io.Reader, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = stdin
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}
