// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// volumes are the folders of a pod, each made once.
type volumes struct {
	m       *manifests
	secrets map[string]*corev1.Secret // what the chart does not render
	pod     corev1.PodSpec
	folders map[string]string
	written int
}

func newVolumes(m *manifests, secrets map[string]*corev1.Secret, pod corev1.PodSpec) *volumes {
	return &volumes{m: m, secrets: secrets, pod: pod, folders: map[string]string{}}
}

// folder is the one that a volume is here.
func (v *volumes) folder(t *testing.T, name string) string {
	t.Helper()
	if v.folders[name] != "" {
		return v.folders[name]
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chown(dir, int(*v.pod.SecurityContext.RunAsUser), int(*v.pod.SecurityContext.FSGroup)))
	v.folders[name] = dir
	v.update(t, name)
	return dir
}

// update writes the files of a volume of ConfigMaps and Secrets as the kubelet does: into a folder of that moment, to which the link ..data is
// turned at once; what containers see are links through it. The folder before it is removed.
func (v *volumes) update(t *testing.T, name string) {
	t.Helper()
	files, mode := v.files(t, name)
	if len(files) == 0 {
		return // emptyDir, or a claim
	}
	dir := v.folders[name]
	v.written++
	moment := fmt.Sprintf("..2026_11_29_00_00_%02d.%d", v.written, os.Getpid())
	before, err := os.Readlink(filepath.Join(dir, "..data"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for path, data := range files {
		file := filepath.Join(dir, moment, path)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, data, mode))
		must(t, os.Chmod(file, mode))
		must(t, os.Chown(file, 0, int(*v.pod.SecurityContext.FSGroup)))
	}
	must(t, os.Symlink(moment, filepath.Join(dir, "..data_tmp")))
	must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	for path := range files {
		first, _, _ := strings.Cut(path, "/")
		if err := os.Symlink(filepath.Join("..data", first), filepath.Join(dir, first)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	if before != "" {
		must(t, os.RemoveAll(filepath.Join(dir, before)))
	}
}

// files are those of a volume, by their paths in it.
func (v *volumes) files(t *testing.T, name string) (map[string][]byte, os.FileMode) {
	t.Helper()
	all := map[string][]byte{}
	for _, volume := range v.pod.Volumes {
		switch {
		case volume.Name != name:
		case volume.Secret != nil:
			for key, text := range v.m.secrets[volume.Secret.SecretName].StringData {
				all[key] = []byte(text)
			}
			return all, os.FileMode(*volume.Secret.DefaultMode)
		case volume.ConfigMap != nil:
			for key, text := range v.m.configMaps[volume.ConfigMap.Name].Data {
				all[key] = []byte(text)
			}
			return all, 0o644 // the API's default
		case volume.Projected != nil:
			for _, source := range volume.Projected.Sources {
				v.project(t, all, source)
			}
			return all, os.FileMode(*volume.Projected.DefaultMode)
		}
	}
	return nil, 0
}

func (v *volumes) project(t *testing.T, all map[string][]byte, source corev1.VolumeProjection) {
	t.Helper()
	if rendered := v.m.secrets[source.Secret.Name]; rendered != nil {
		for key, text := range rendered.StringData {
			all[key] = []byte(text)
		}
		return
	}
	secret := v.secrets[source.Secret.Name]
	if secret == nil {
		t.Fatalf("secrets.sh makes no Secret %s", source.Secret.Name)
	}
	for _, item := range source.Secret.Items {
		data, found := secret.Data[item.Key]
		if !found {
			t.Fatalf("the Secret %s has no key %s", source.Secret.Name, item.Key)
		}
		all[item.Path] = data
	}
}
