// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/hyperledger/fabric/common/metrics"
	"github.com/hyperledger/fabric/internal/pkg/series"
)

// boundedMetrics is for metrics whose labels have values that strangers choose.
func boundedMetrics(p metrics.Provider) metrics.Provider { return series.Bound(p, series.Max) }
