// SPDX-License-Identifier: Apache-2.0

package broadcast

import (
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
)

// Record adds a message to the metrics.
//
//fork:wrap fix: a stranger who invents types of messages does not make an orderer keep a series of metrics for each
func (mt *MetricsTracker) Record(resp *ab.BroadcastResponse) {
	if _, known := cb.HeaderType_value[mt.TxType]; !known {
		mt.TxType = "unknown"
	}
	mt.upstreamRecord(resp)
}
