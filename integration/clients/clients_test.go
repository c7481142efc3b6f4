// SPDX-License-Identifier: Apache-2.0

// Package clients tests the clients in other languages: their signers against ours here, and a whole transaction of each
// with the build tag integration.
package clients

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// language is how a client's example is run.
type language struct {
	name    string
	command func(ctx context.Context, t *testing.T, program string, args ...string) *exec.Cmd
}

func languages(t *testing.T) []language {
	t.Helper()
	return []language{{"node", node}, {"java", java(t)}}
}

// requireTool skips a test where a tool is missing; in continuous integration, which installs all, it fails.
func requireTool(t *testing.T, found bool, what string) {
	t.Helper()
	if found {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing", what)
}

func node(ctx context.Context, t *testing.T, program string, args ...string) *exec.Cmd {
	_, err := exec.LookPath("node")
	requireTool(t, err == nil, "node")
	return exec.CommandContext(ctx, "node", append([]string{"../../clients/node/example/" + program + ".js"}, args...)...)
}

// jars is where Debian has Java's libraries.
const jars = "/usr/share/java"

func classPath(t *testing.T, names ...string) string {
	t.Helper()
	var path []string
	for _, name := range names {
		file := filepath.Join(jars, name+".jar")
		_, err := os.Stat(file)
		requireTool(t, err == nil, file)
		path = append(path, file)
	}
	return strings.Join(path, ":")
}

func compileJava(ctx context.Context, t *testing.T, dir, path string, files ...string) {
	t.Helper()
	sources, err := filepath.Glob("../../clients/java/src/org/hyperledger/fabric/gm/*.java")
	require.NoError(t, err)
	args := append([]string{"-d", dir, "-cp", path}, append(sources, files...)...)
	out, err := exec.CommandContext(ctx, "javac", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func java(t *testing.T) func(context.Context, *testing.T, string, ...string) *exec.Cmd {
	var dir, path string
	return func(ctx context.Context, test *testing.T, program string, args ...string) *exec.Cmd {
		_, err := exec.LookPath("javac")
		requireTool(test, err == nil, "javac")
		if dir == "" {
			path = classPath(test, "bcprov", "bcpkix", "bcutil")
			compiled := t.TempDir()
			compileJava(ctx, test, compiled, path, "../../clients/java/example/Sign.java")
			dir = compiled
		}
		return exec.CommandContext(ctx, "java", append([]string{"-cp", dir + ":" + path, program}, args...)...)
	}
}

// programName is that of an example in the manner of the language.
func programName(l language, name string) string {
	if l.name == "java" {
		return strings.ToUpper(name[:1]) + name[1:]
	}
	return name
}

func write(t *testing.T, file string, data []byte) string {
	t.Helper()
	require.NoError(t, os.WriteFile(file, data, 0o600))
	return file
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// identity is a key and its certificate, as files.
type identity struct {
	key         *sm2.PrivateKey
	certificate string
	plain       string // PKCS #8
	encrypted   string // PKCS #8 under the passphrase "secret", by openssl
}

func newIdentity(ctx context.Context, t *testing.T) identity {
	t.Helper()
	dir := t.TempDir()
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "user"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	id := identity{
		key:         key,
		certificate: write(t, filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		plain:       write(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		encrypted:   filepath.Join(dir, "encrypted.pem"),
	}
	_, err = exec.LookPath("openssl")
	requireTool(t, err == nil, "openssl")
	out, err := exec.CommandContext(ctx, "openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", id.plain, "-out", id.encrypted,
		"-passout", "pass:secret").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return id
}

// TestSigners lets each client verify what Go signs, and Go what each client signs.
func TestSigners(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	id := newIdentity(ctx, t)
	for _, l := range languages(t) {
		t.Run(l.name, func(t *testing.T) {
			dir := t.TempDir()
			message := []byte("message in " + l.name)
			messageFile, signatureFile := write(t, filepath.Join(dir, "message"), message), filepath.Join(dir, "signature")
			program := programName(l, "sign")
			signWith := func(passphrase string, args ...string) ([]byte, error) {
				cmd := l.command(ctx, t, program, append([]string{"sign"}, args...)...)
				cmd.Env = append(os.Environ(), "PASSPHRASE="+passphrase)
				return cmd.CombinedOutput()
			}
			for file, passphrase := range map[string]string{id.plain: "", id.encrypted: "secret"} {
				out, err := signWith(passphrase, file, messageFile, signatureFile)
				require.NoError(t, err, "%s", out)
				signature, err := os.ReadFile(signatureFile)
				require.NoError(t, err)
				require.True(t, sm2.VerifyASN1WithSM2(&id.key.PublicKey, nil, message, signature), "Go refuses the signature of %s", l.name)
				require.NoError(t, x509.CheckSM2SignatureDER(signature))
			}
			out, err := signWith("wrong", id.encrypted, messageFile, signatureFile)
			require.Error(t, err)
			require.Contains(t, string(out), "gmtls key")
			out, err = signWith("", id.encrypted, "secret", messageFile, signatureFile)
			require.Error(t, err, "a passphrase that everybody on the machine reads")
			require.Contains(t, string(out), "usage: sign KEY MESSAGE SIGNATURE")

			verdict := func(signature []byte) string {
				write(t, signatureFile, signature)
				out, err := l.command(ctx, t, program, "verify", id.certificate, messageFile, signatureFile).CombinedOutput()
				require.NoError(t, err, "%s", out)
				return strings.TrimSpace(string(out))
			}
			require.Equal(t, "true", verdict(sign(t, id.key, message)))
			require.Equal(t, "false", verdict(sign(t, id.key, append(message, '!'))))
			other, err := sm2.GenerateKey(rand.Reader)
			require.NoError(t, err)
			require.Equal(t, "false", verdict(sign(t, other, message)))
		})
	}
}

// TestCredentialsOnWindows: Java gives nodes the one form of a certificate, however the platform ends lines, and however the file does.
func TestCredentialsOnWindows(t *testing.T) {
	id := newIdentity(t.Context(), t)
	want := read(t, id.certificate)
	dir := t.TempDir()
	windows := write(t, filepath.Join(dir, "cert.pem"), []byte(strings.ReplaceAll(want, "\n", "\r\n")))
	run := java(t)
	for _, file := range []string{id.certificate, windows} {
		out := filepath.Join(dir, "credentials")
		cmd := run(t.Context(), t, "Sign", "credentials", file, out)
		cmd.Args = slices.Insert(cmd.Args, 1, "-Dline.separator=\r\n")
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", text)
		require.Equal(t, want, read(t, out))
	}
}

func sign(t *testing.T, key *sm2.PrivateKey, message []byte) []byte {
	t.Helper()
	signature, err := key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
	return signature
}

// TestNode runs the tests of the Node client.
func TestNode(t *testing.T) {
	_, err := exec.LookPath("node")
	requireTool(t, err == nil, "node")
	out, err := exec.CommandContext(t.Context(), "node", "--test", "../../clients/node/test/").CombinedOutput()
	require.NoError(t, err, "%s", out)
}
