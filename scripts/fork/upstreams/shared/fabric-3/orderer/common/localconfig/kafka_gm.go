// SPDX-License-Identifier: Apache-2.0

package localconfig

// validateKafka has nothing to check: this upstream has no Kafka.
func (c *TopLevel) validateKafka() error { return nil }
