// SPDX-License-Identifier: Apache-2.0

package localconfig

import "errors"

// validateKafka refuses what connections to Kafka brokers cannot have. Upstream's later versions have no Kafka.
func (c *TopLevel) validateKafka() error {
	t := &c.Kafka.TLS
	if t.ClientMode != "" {
		return errors.New("Kafka.TLS.ClientMode is set, but only General.TLS.ClientMode has a meaning: remove it")
	}
	if err := t.validate("Kafka.TLS"); err != nil {
		return err
	}
	if t.Mode != "" || t.HandshakesPerAddress != 0 || t.HasGMPair() || t.GMKeyPasswordFile != "" || len(t.GMCipherSuites)+len(t.GMProtocols) > 0 || t.GMClientProtocol != "" || t.GMHybridKeyExchange || t.CheckRevocation {
		return errors.New("Kafka.TLS takes no Mode, GM pairs, suites, limits and revocation lists: connections to Kafka brokers are always TLS")
	}
	return nil
}
