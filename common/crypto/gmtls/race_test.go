// SPDX-License-Identifier: Apache-2.0

//go:build race

package gmtls

const raceEnabled = true
