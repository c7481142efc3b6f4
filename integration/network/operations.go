// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hyperledger/fabric/common/tlsstatus"
)

// operationsLimit ends one request to an operations service, and selfTestLimit one for self-tests, which compute for seconds.
const (
	operationsLimit = 5 * time.Second
	selfTestLimit   = 3 * time.Minute
)

// operations fetches a page of a node's operations service.
func (n *Network) operations(ctx context.Context, node Node, page string) ([]byte, error) {
	return n.Operations(ctx, node, http.MethodGet, page, nil)
}

// Operations sends a request to a node's operations service as the Admin of the node's organisation, with a JSON body unless
// that is nil, and returns the answer. A status that is not 2xx is an error.
func (n *Network) Operations(ctx context.Context, node Node, method, page string, body []byte) ([]byte, error) {
	limit := operationsLimit
	if page == tlsstatus.SelfTestPath {
		limit = selfTestLimit
	}
	client, err := n.OperationsClient(node, limit)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "https://"+node.addressAt(node.Operations)+page, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("operations service of %s: %w", node.Name, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("operations service of %s: %w", node.Name, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("operations service of %s: %w", node.Name, err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("operations service of %s: %s: %s", node.Name, resp.Status, strings.TrimSpace(string(answer)))
	}
	return answer, nil
}

// OperationsClient is an HTTP client of a node's operations service, as the Admin of the node's organisation. It keeps its connection.
func (n *Network) OperationsClient(node Node, limit time.Duration) (*http.Client, error) {
	dial, err := n.dialer(n.ClientMode, node, n.OrgOf(node), "Admin")
	if err != nil {
		return nil, err
	}
	return &http.Client{Timeout: limit, Transport: &http.Transport{DialTLSContext: dial}}, nil
}

// Metric reads one sample of a node's Prometheus page: the value of the series of that name whose labels include all of
// labels (each written name="value"). found is false when there is none.
func (n *Network) Metric(ctx context.Context, node Node, name string, labels ...string) (value float64, found bool, err error) {
	page, err := n.operations(ctx, node, "/metrics")
	if err != nil {
		return 0, false, err
	}
	return findMetric(string(page), name, labels...)
}

func findMetric(page, name string, labels ...string) (value float64, found bool, err error) {
	lines := bufio.NewScanner(strings.NewReader(page))
lines:
	for lines.Scan() {
		series, number, ok := cutLast(lines.Text(), " ")
		if !ok || series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(series, label) {
				continue lines
			}
		}
		value, err = strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, false, fmt.Errorf("metric %s: %w", series, err)
		}
		return value, true, nil
	}
	return 0, false, lines.Err()
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// Leader is the orderer that leads on the channel; found is false while there is none. Orderers that do not answer are
// taken not to lead.
func (n *Network) Leader(ctx context.Context) (leader Node, found bool) {
	for _, node := range n.Nodes(Orderer) {
		value, ok, err := n.Metric(ctx, node, n.consensusMetric("is_leader"), n.channelLabel())
		if err == nil && ok && value == 1 {
			return node, true
		}
	}
	return Node{}, false
}

func (n *Network) channelLabel() string { return `channel="` + n.Channel + `"` }

// AwaitLeader waits until there is a leader on the channel.
func (n *Network) AwaitLeader(ctx context.Context) (Node, error) {
	var leader Node
	err := poll(ctx, healthLimit, "a leader of the orderers", func(ctx context.Context) error {
		var found bool
		if leader, found = n.Leader(ctx); !found {
			return errors.New("no orderer says that it leads")
		}
		return nil
	})
	return leader, err
}

// Height is the number of blocks of the channel on a peer or an orderer, as its metrics tell.
func (n *Network) Height(ctx context.Context, node Node) (uint64, error) {
	metric := "ledger_blockchain_height"
	if node.Kind == Orderer {
		metric = n.consensusMetric("committed_block_number")
	}
	value, found, err := n.Metric(ctx, node, metric, n.channelLabel())
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, fmt.Errorf("%s has not joined channel %s", node.Name, n.Channel)
	}
	if node.Kind == Orderer {
		value++ // a block's number counts from 0
	}
	return uint64(value), nil
}
