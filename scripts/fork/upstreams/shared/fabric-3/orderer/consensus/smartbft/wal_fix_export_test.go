// SPDX-License-Identifier: Apache-2.0

package smartbft

var OpenWAL = openWAL
