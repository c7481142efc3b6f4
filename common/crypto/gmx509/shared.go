// SPDX-License-Identifier: Apache-2.0

package gmx509

import "sync"

// ParseShared is ParseCertificate for callers that only read. For the same DER it returns the same certificate again if it
// was asked for recently. The certificate must not be changed.
func ParseShared(der []byte) (*Certificate, error) { return recent.parse(der) }

// Bounds, since strangers choose what is parsed: certificates in each generation, and bytes of the DER of one that is kept.
const (
	maxShared    = 128
	maxSharedDER = 4096
)

var recent shared

// shared keeps parsed certificates by their DER in two generations. When the younger one is full, it becomes the elder, and what
// nobody has asked for since is forgotten.
type shared struct {
	mu             sync.Mutex
	younger, elder map[string]*Certificate // protected by mu
}

func (s *shared) parse(der []byte) (*Certificate, error) {
	if cert := s.lookUp(der); cert != nil {
		return cert, nil
	}
	cert, err := ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if len(der) <= maxSharedDER {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.keep(cert)
	}
	return cert, nil
}

func (s *shared) lookUp(der []byte) *Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cert := s.younger[string(der)]; cert != nil {
		return cert
	}
	cert := s.elder[string(der)]
	if cert != nil {
		s.keep(cert)
	}
	return cert
}

// keep adds to the younger generation. s.mu is held.
func (s *shared) keep(cert *Certificate) {
	if s.younger == nil || len(s.younger) >= maxShared {
		s.younger, s.elder = map[string]*Certificate{}, s.younger
	}
	s.younger[string(cert.Raw)] = cert
}
