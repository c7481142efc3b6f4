// SPDX-License-Identifier: Apache-2.0

package sdf

import (
	"testing"

	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
	"github.com/stretchr/testify/require"
)

// Codes of the standard have names. All others are a vendor's, and leave open what they mean.
func TestCodes(t *testing.T) {
	require.NoError(t, check("SDF_OpenDevice", 0))
	require.EqualError(t, check("SDF_OpenDevice", 0x01000003), "SDF_OpenDevice returned 0x01000003 (SDR_COMMFAIL)")
	require.EqualError(t, check("SDF_Hash", 0x0100001F), "SDF_Hash returned 0x0100001F (SDR_USERIDERR)")
	for _, code := range []uint32{1, 0x00FFFFFF, 0x01000000, 0x01000020, 0x02000001, 0xFFFFFFFF} {
		var e *device.Error
		require.ErrorAs(t, check("SDF_OpenDevice", code), &e)
		require.Empty(t, e.Name, "0x%08X", code)
		require.Equal(t, device.Unknown, e.Class, "0x%08X", code)
	}
}
