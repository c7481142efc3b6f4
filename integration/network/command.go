// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// commandLimit ends a command that hangs; the longest waits for a commit.
const commandLimit = 60 * time.Second

// Variable is one variable of the environment.
type Variable struct{ Name, Value string }

// PeerEnv is the environment in which the peer command acts as user (Admin or User1) of org towards the given peer.
func (n *Network) PeerEnv(org Org, peer Node, user string) []Variable {
	crypto := n.path(filepath.FromSlash(n.userCrypto(org, user)))
	tls := filepath.Join(crypto, "tls")
	env := []Variable{
		{"FABRIC_CFG_PATH", n.path("cli")},
		{"CORE_PEER_LOCALMSPID", org.MSPID},
		{"CORE_PEER_MSPCONFIGPATH", filepath.Join(crypto, "msp")},
		{"CORE_PEER_ADDRESS", peer.Local()},
		{"CORE_PEER_TLS_ENABLED", "true"},
		{"CORE_PEER_TLS_ROOTCERT_FILE", filepath.Join(n.path(filepath.FromSlash(n.nodeCrypto(peer))), "tls", n.rootFile())},
		{"CORE_PEER_TLS_CLIENTAUTHREQUIRED", fmt.Sprint(n.MutualTLS)},
	}
	if !n.gmDialers() {
		return append(env,
			Variable{"CORE_PEER_TLS_CLIENTCERT_FILE", filepath.Join(tls, "client.crt")},
			Variable{"CORE_PEER_TLS_CLIENTKEY_FILE", filepath.Join(tls, "client.key")})
	}
	return append(env,
		Variable{"CORE_PEER_TLS_CLIENTMODE", ModeGM},
		Variable{"CORE_PEER_TLS_GM_CLIENTPROTOCOL", n.GMProtocol},
		Variable{"CORE_PEER_TLS_GM_CLIENTSIGNCERT_FILE", filepath.Join(tls, "client-sign.crt")},
		Variable{"CORE_PEER_TLS_GM_CLIENTSIGNKEY_FILE", filepath.Join(tls, "client-sign.key")},
		Variable{"CORE_PEER_TLS_GM_CLIENTENCCERT_FILE", filepath.Join(tls, "client-enc.crt")},
		Variable{"CORE_PEER_TLS_GM_CLIENTENCKEY_FILE", filepath.Join(tls, "client-enc.key")})
}

// OrdererFlags are the peer command's flags that lead to an orderer, as user of org.
func (n *Network) OrdererFlags(orderer Node, org Org, user string) []string {
	root := filepath.Join(n.path(filepath.FromSlash(n.nodeCrypto(orderer))), "tls", n.rootFile())
	flags := []string{"--orderer", orderer.Local(), "--tls", "--cafile", root}
	if n.gmDialers() {
		flags = append(flags, "--tlsmode", ModeGM)
	}
	if !n.MutualTLS {
		return flags
	}
	tls := filepath.Join(n.path(filepath.FromSlash(n.userCrypto(org, user))), "tls")
	flags = append(flags, "--clientauth")
	if !n.gmDialers() {
		return append(flags, "--certfile", filepath.Join(tls, "client.crt"), "--keyfile", filepath.Join(tls, "client.key"))
	}
	return append(flags,
		"--certfile", filepath.Join(tls, "client-sign.crt"), "--keyfile", filepath.Join(tls, "client-sign.key"),
		"--encCertfile", filepath.Join(tls, "client-enc.crt"), "--encKeyfile", filepath.Join(tls, "client-enc.key"))
}

// ConsenterFlags name a consenter, by its present certificates, to "consortium update".
func (n *Network) ConsenterFlags(node Node) []string {
	flags := []string{"--address", node.Address(), "--certificate", n.path(filepath.FromSlash(n.consenterCert(node)))}
	if n.BFT() {
		flags = append(flags, "--identity", n.path(filepath.FromSlash(n.consenterIdentity(node))))
	}
	return flags
}

// PeerCommand runs "peer ARGS" as the Admin of org against one of its peers. The error tells if that has ended.
func (n *Network) PeerCommand(ctx context.Context, peer Node, args ...string) (string, error) {
	out, err := n.command(ctx, n.PeerEnv(n.OrgOf(peer), peer, "Admin"), "peer", args...)
	return out, n.explain(err, peer)
}

// Osnadmin runs "osnadmin channel VERB ARGS" against one orderer. Fabric's osnadmin ends with 0 when the orderer
// refuses, so the HTTP status that it prints is read as well. The error tells if the orderer has ended.
func (n *Network) Osnadmin(ctx context.Context, orderer Node, verb string, args ...string) (string, error) {
	tls := filepath.Join(n.path(filepath.FromSlash(n.userCrypto(n.Ordering, "Admin"))), "tls")
	all := []string{
		"channel", verb, "--orderer-address", orderer.addressAt(orderer.Admin),
		"--ca-file", filepath.Join(n.path(filepath.FromSlash(n.nodeCrypto(orderer))), "tls", n.rootFile()),
	}
	if n.gmDialers() {
		if n.GMProtocol == GMProtocolTLS13 {
			all = append(all, "--gm-protocol", n.GMProtocol)
		}
		all = append(all, "--tls-mode", ModeGM,
			"--client-cert", filepath.Join(tls, "client-sign.crt"), "--client-key", filepath.Join(tls, "client-sign.key"),
			"--client-enc-cert", filepath.Join(tls, "client-enc.crt"), "--client-enc-key", filepath.Join(tls, "client-enc.key"))
	} else {
		all = append(all, "--client-cert", filepath.Join(tls, "client.crt"), "--client-key", filepath.Join(tls, "client.key"))
	}
	out, err := n.command(ctx, nil, "osnadmin", append(all, args...)...)
	if err == nil && !strings.HasPrefix(out, "Status: 2") {
		err = fmt.Errorf("osnadmin channel %s at %s: %s", verb, orderer.Name, strings.TrimSpace(out))
	}
	if err != nil {
		return "", n.explain(err, orderer)
	}
	return out, nil
}

// command runs one of the binaries in a bare environment and returns its standard output. The whole conversation
// is kept in logs/commands.log; the end of the output is in the error.
func (n *Network) command(ctx context.Context, env []Variable, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := boundCommand(ctx, filepath.Join(n.Bin, name), args...)
	cmd.Env = bareEnv()
	for _, v := range env {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	cmd.Dir = n.Dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	n.keep(env, name, args, stdout.String()+stderr.String())
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("%s %s: %w:\n%s", name, strings.Join(args[:min(3, len(args))], " "), err,
			indent(lastLines(stderr.String()+stdout.String(), 8)))
	}
	return stdout.String(), nil
}

// boundCommand prepares a command that ends with this process, however that ends: what continues by itself would write into the state directory
// while the next command clears it.
func boundCommand(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// bareEnv keeps variables of the caller, CORE_ and ORDERER_ ones above all, from changing what a program does.
func bareEnv() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GODEBUG"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// keep appends a command and what it printed to the log of commands; a failure to do so is not worth ending for.
func (n *Network) keep(env []Variable, name string, args []string, output string) {
	var text strings.Builder
	fmt.Fprintf(&text, "%s", time.Now().Format(time.RFC3339))
	for _, v := range env {
		fmt.Fprintf(&text, " %s=%s", v.Name, v.Value)
	}
	fmt.Fprintf(&text, " %s %s\n%s\n", name, strings.Join(args, " "), indent(strings.TrimRight(output, "\n")))
	n.mu.Lock()
	defer n.mu.Unlock()
	if os.MkdirAll(n.path("logs"), 0o755) != nil {
		return
	}
	f, err := os.OpenFile(n.path("logs", "commands.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(text.String())
}
