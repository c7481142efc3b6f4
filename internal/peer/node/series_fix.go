// SPDX-License-Identifier: Apache-2.0

package node

import (
	"github.com/hyperledger/fabric/common/metrics"
	"github.com/hyperledger/fabric/internal/pkg/series"
)

// boundedMetrics is for metrics whose labels have values that clients choose.
func boundedMetrics(p metrics.Provider) metrics.Provider { return series.Bound(p, series.Max) }
