// SPDX-License-Identifier: Apache-2.0

package broadcast

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric/common/metrics/metricsfakes"
	"github.com/stretchr/testify/require"
)

// TestInventedTypes: a type that Fabric does not have has no name in metrics.
func TestInventedTypes(t *testing.T) {
	for number, want := range map[cb.HeaderType]string{
		cb.HeaderType_CONFIG_UPDATE: "CONFIG_UPDATE", cb.HeaderType_ENDORSER_TRANSACTION: "ENDORSER_TRANSACTION", 12345: "unknown", -1: "unknown",
	} {
		histogram, counter := &metricsfakes.Histogram{}, &metricsfakes.Counter{}
		histogram.WithReturns(histogram)
		counter.WithReturns(counter)
		tracker := &MetricsTracker{
			ChannelID: "one", TxType: number.String(),
			Metrics: &Metrics{ValidateDuration: histogram, EnqueueDuration: histogram, ProcessedCount: counter},
		}
		tracker.Record(&ab.BroadcastResponse{Status: cb.Status_FORBIDDEN})
		require.Equal(t, []string{"status", "FORBIDDEN", "channel", "one", "type", want}, counter.WithArgsForCall(0))
		require.Equal(t, []string{"status", "FORBIDDEN", "channel", "one", "type", want}, histogram.WithArgsForCall(0))
	}
}
