// SPDX-License-Identifier: Apache-2.0

package gmtls

// Content types of records (GB/T 38636-2020, 6.3.3.2).
const (
	recordChangeCipherSpec uint8 = 20
	recordAlert            uint8 = 21
	recordHandshake        uint8 = 22
	recordApplicationData  uint8 = 23
)
