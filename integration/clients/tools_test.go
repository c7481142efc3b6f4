// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestPrometheus has Prometheus read, through a proxy, a server of metrics that speaks only TLCP.
func TestPrometheus(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ca := gmtlstest.NewCA(t)
	own := ca.NewPair(t, "127.0.0.1")
	pair, err := gmtls.X509KeyPair(own.SignCert, own.SignKey, own.EncCert, own.EncKey)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ledger_blockchain_height{channel=\"trade\"} 5")
	})}
	go func() {
		_ = server.Serve(gmtls.NewListener(listener, &gmtls.Config{Certificates: []gmtls.Certificate{pair}}))
	}()
	t.Cleanup(func() { _ = server.Close() })
	root := write(t, filepath.Join(t.TempDir(), "gm-ca.crt"), ca.CertPEM)
	scrape(ctx, t, startProxy(ctx, t, listener.Addr().String(), root), "peer0.org1.example.com")
}

// block returns the first block of a language below a heading of docs/applications-tools.md.
func block(t *testing.T, heading, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../docs/applications-tools.md"), "\n"+heading+"\n")
	require.True(t, found, heading)
	_, rest, found = strings.Cut(rest, "```"+language+"\n")
	require.True(t, found, language)
	text, _, _ := strings.Cut(rest, "```")
	return text
}

// scrape has Prometheus read a node's metrics with the configuration of docs/applications-tools.md.
func scrape(ctx context.Context, t *testing.T, proxy, node string) {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no Prometheus here: ", err)
	}
	config := block(t, "## Prometheus", "yaml")
	config = "global: {scrape_interval: 1s}\n" + strings.NewReplacer("127.0.0.1:19443", proxy, "peer0.org1.example.com", node).Replace(config)
	dir := t.TempDir()
	address := freeAddress(t)
	cmd := exec.CommandContext(ctx, program, "--config.file="+write(t, filepath.Join(dir, "prometheus.yml"), []byte(config)),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var value string
	require.Eventually(t, func() bool {
		response, err := http.Get(fmt.Sprintf("http://%s/api/v1/query?query=ledger_blockchain_height", address))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string
					Value  []any
				}
			}
		}
		if json.NewDecoder(response.Body).Decode(&answer) != nil || len(answer.Data.Result) == 0 {
			return false
		}
		value = fmt.Sprint(answer.Data.Result[0].Metric["node"], answer.Data.Result[0].Value[1])
		return true
	}, time.Minute, time.Second, "Prometheus has no height")
	require.True(t, strings.HasPrefix(value, node), value)
}
