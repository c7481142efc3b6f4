// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
)

// Where keys are.
const (
	KeysSDF    = "sdf"    // a simulated device with the interface of GM/T 0018
	KeysPKCS11 = "pkcs11" // a simulated token
)

// KeyDaemon is the name of the daemon that holds the keys of a network with Options.Keys.
const KeyDaemon = "gmkeyd"

const devicePIN = "12345678"

// moveKeys takes the SM2 keys of nodes, chaincode servers and users, those of identities and of TLCP pairs, out of their files into a
// simulated device, puts references in their place, and starts the daemon. Keys of the authorities stay in files.
func (n *Network) moveKeys(ctx context.Context) error {
	folder := n.path("device")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("create folder of the device: %w", err)
	}
	library, err := keydtest.BuildDevice(folder, n.keys)
	if err != nil {
		return fmt.Errorf("KEYS=%s: %w", n.keys, err)
	}
	socket := n.keySocket()
	if len(socket) > 100 {
		return fmt.Errorf("the path of the key daemon's socket, %s, is too long: choose a shorter place with DIR=", socket)
	}
	var keys []keydtest.Key
	err = filepath.WalkDir(n.path("crypto"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isNodeKey(path) {
			return err
		}
		key, err := moveKey(path, socket, n.keys, len(keys)+1)
		if key != nil {
			keys = append(keys, *key)
		}
		return err
	})
	if err != nil {
		return err
	}
	device, err := keydtest.NewFolder(filepath.Join(folder, "state"), devicePIN, keys)
	if err != nil {
		return fmt.Errorf("simulated device: %w", err)
	}
	defer device.Close()
	if err := n.write("device/gmkeyd.yaml", keyDaemonConfig(socket, library, n.keys, len(keys))); err != nil {
		return err
	}
	if err := n.StartKeyDaemon(); err != nil {
		return err
	}
	n.say("%d keys in a simulated device (%s)", len(keys), n.keys)
	return n.awaitKeyDaemon(ctx)
}

// isNodeKey tells the files of keys that nodes, chaincode servers and users have.
func isNodeKey(path string) bool {
	dir, name := filepath.Base(filepath.Dir(path)), filepath.Base(path)
	return dir == "keystore" || dir == "tls" && (strings.HasSuffix(name, "-sign.key") || strings.HasSuffix(name, "-enc.key"))
}

// moveKey replaces a key file by a reference; nil if the key is not SM2.
func moveKey(path, socket, kind string, number int) (*keydtest.Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	parsed, err := gmx509.ParsePrivateKeyPEM(text, nil)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	private, ok := parsed.(*sm2.PrivateKey)
	if !ok {
		return nil, nil
	}
	key := &keydtest.Key{Index: uint32(number), Usage: keyd.UsageSign, PIN: devicePIN, Private: private}
	if strings.HasSuffix(path, "-enc.key") {
		key.Usage = keyd.UsageEncrypt
	}
	uri := keyd.URI{Scheme: "sdf", Device: "hsm", Index: key.Index, Usage: key.Usage}
	if kind == KeysPKCS11 {
		*key = keydtest.Key{Label: fmt.Sprintf("key-%d", number), ID: []byte{byte(number >> 8), byte(number)}, Private: private}
		uri = keyd.URI{Scheme: "pkcs11", Token: "simulated", Object: key.Label}
	}
	reference, err := keyd.Reference{URI: uri, Socket: socket, Public: &private.PublicKey}.Encode()
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	// A new file: cryptogen makes some of them links to one another, or read-only.
	if err := os.Remove(path); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if err := os.WriteFile(path, reference, 0o600); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return key, nil
}

func keyDaemonConfig(socket, library, kind string, keys int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "socket: %s\ndevices:\n- name: hsm\n  random: true\n", socket)
	if kind == KeysPKCS11 {
		fmt.Fprintf(&b, "  pkcs11: {library: %s, token: simulated, preset: ep11, pin: {environment: DEVICE_PIN}}\n", library)
		return b.Bytes()
	}
	fmt.Fprintf(&b, "  sdf:\n    library: %s\n    decrypt: with-algorithm\n    keys:\n", library)
	for i := range keys {
		fmt.Fprintf(&b, "    - {index: %d, pin: {environment: DEVICE_PIN}}\n", i+1)
	}
	return b.Bytes()
}

func (n *Network) keySocket() string { return n.path("device", "socket") }

// StartKeyDaemon starts the daemon, also again after it was killed.
func (n *Network) StartKeyDaemon() error {
	p := &process{
		Name: KeyDaemon, Dir: n.path("device"), Log: n.LogFile(KeyDaemon),
		Command: []string{filepath.Join(n.Bin, KeyDaemon), "serve", "--config", n.path("device", "gmkeyd.yaml")},
		Env:     append(bareEnv(), "SIMULATED_DEVICE="+n.path("device", "state"), "SIMULATED_FAMILY=ep11", "DEVICE_PIN="+devicePIN),
	}
	if err := p.start(n.path("run", KeyDaemon+".json")); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.units[KeyDaemon] = p
	return nil
}

// awaitKeyDaemon waits until every key has passed its self-test.
func (n *Network) awaitKeyDaemon(ctx context.Context) error {
	return poll(ctx, time.Minute, KeyDaemon+" to be healthy", func(ctx context.Context) error {
		if err := n.checkRunning(KeyDaemon); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		status, err := keyd.ClientFor(n.keySocket()).Status(ctx)
		if err == nil && !status.Healthy {
			err = errors.New("not healthy yet")
		}
		return err
	})
}
