// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// checkOwn refuses pairs that peers refuse, before they are presented: with the code by which a peer of ours verifies them,
// under the role's own server roots. What these roots cannot answer is said in a warning.
//
// A listener's pair has to pass. That of a dialer has to where peers always verify it, as orderers do among themselves;
// elsewhere a peer may not even look at it, and there is a warning. At start upstream takes certificates outside their
// validity, so at that time (not live) they are judged as if they were within; and upstream's own pairs, for TLS, are
// judged when they are to replace others.
func (s *Source) checkOwn(state *sourceState, now time.Time, live bool) error {
	if pair := state.GM; pair != nil {
		if err := gmx509.CheckPairKeys(pair.Leaf, pair.EncLeaf); err != nil {
			commLogger.Warningf("%s: %s; others than this fork may refuse the TLCP pair of %q", s.role, err, pair.Leaf.Subject)
		}
	}
	for _, use := range []struct {
		usage    x509.ExtKeyUsage
		present  bool
		required bool
	}{
		{x509.ExtKeyUsageServerAuth, state.serverMode != "", true},
		{x509.ExtKeyUsageClientAuth, state.clientMode != "", s.redial},
	} {
		if !use.present {
			continue
		}
		err := s.checkTLCP(state, use.usage, now, live)
		if err == nil && live {
			err = s.checkTLS(state, use.usage, now)
		}
		if err == nil {
			continue
		}
		if use.required {
			return err
		}
		commLogger.Warningf("%s; peers that verify it will refuse it", err)
	}
	return nil
}

func (s *Source) checkTLCP(state *sourceState, usage x509.ExtKeyUsage, now time.Time, live bool) error {
	pair := state.GM
	if pair == nil {
		return nil
	}
	if !live {
		now = pair.NearestValid(now)
	}
	refused := func(err error) error {
		var invalid smx509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == smx509.IncompatibleUsage {
			err = fmt.Errorf("%w: %s", err, usageRule[usage])
		}
		return fmt.Errorf("comm: peers would refuse the TLCP pair of %s (signing certificate %q, issuer %q): %w",
			s.role, pair.Leaf.Subject, pair.Leaf.Issuer, err)
	}
	if err := pair.CheckAsPeer(nil, usage, now); err != nil {
		return refused(err)
	}
	if len(state.serverRoots.gm) == 0 {
		commLogger.Warningf("%s: whether its TLCP pair (issuer %q) leads to a root that peers trust was not checked, as no SM2 root is among its server root CAs", s.role, pair.Leaf.Issuer)
		return nil
	}
	if err := pair.CheckAsPeer(state.serverRoots.gmPool(), usage, now); err != nil {
		if reason := gmx509.Explain([]*x509.Certificate{pair.Leaf, pair.EncLeaf}, state.serverRoots.authorities()); reason != nil {
			return refused(reason)
		}
		return refused(fmt.Errorf("under its own server root CAs: %w", err))
	}
	return nil
}

// usageRule says what the engine's error of an extended key usage means.
var usageRule = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageServerAuth: "both certificates of a listener need the extended key usage serverAuth, or none at all",
	x509.ExtKeyUsageClientAuth: "both certificates of a dialer need the extended key usage clientAuth, or none at all",
}

func (s *Source) checkTLS(state *sourceState, usage x509.ExtKeyUsage, now time.Time) error {
	pair := state.Std
	if pair == nil || pair.Leaf == nil || len(state.serverRoots.std) == 0 {
		return nil
	}
	opts := x509.VerifyOptions{
		Roots: state.serverRoots.stdPool(), Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	}
	for _, der := range pair.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			opts.Intermediates.AddCert(cert)
		}
	}
	if _, err := pair.Leaf.Verify(opts); err != nil {
		return fmt.Errorf("comm: peers would refuse the TLS certificate of %s (%q): under its own server root CAs: %w", s.role, pair.Leaf.Subject, err)
	}
	return nil
}
