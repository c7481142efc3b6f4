// SPDX-License-Identifier: Apache-2.0

package material

import (
	"bytes"
	stdx509 "crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

// SoonDays is the number of days before its end from which a certificate gets
// a warning.
const SoonDays = 30

// CanSign reports whether the certificate may be the first one of a TLCP pair.
func CanSign(c *x509.Certificate) bool { return !x509.IsSM2(c.PublicKey) || x509.IsPairSigning(c) }

// CanEncrypt reports whether the certificate may be the second one of a pair.
func CanEncrypt(c *x509.Certificate) bool {
	return !x509.IsSM2(c.PublicKey) || x509.IsPairEncryption(c)
}

// CheckPair checks what TLCP demands of the two certificates of a pair.
func CheckPair(sign, enc *x509.Certificate) []cause.Finding {
	var found []cause.Finding
	switch {
	case !CanSign(sign) && CanSign(enc) && CanEncrypt(sign):
		found = append(found, cause.Find(cause.SwappedPair, "the first certificate is for %s, the second for %s",
			usages(sign), usages(enc)))
	default:
		if !CanSign(sign) {
			found = append(found, cause.Find(cause.SignUsage, "the first certificate is for %s", usages(sign)))
		}
		if !CanEncrypt(enc) {
			found = append(found, cause.Find(cause.EncUsage, "the second certificate is for %s", usages(enc)))
		}
	}
	if x509.CheckPairNames(sign, enc) != nil {
		found = append(found, cause.Find(cause.Unpaired, "signing %q of %q, encryption %q of %q",
			subject(sign), issuer(sign), subject(enc), issuer(enc)))
	}
	if x509.CheckPairKeys(sign, enc) != nil {
		found = append(found, cause.Find(cause.KeyReused, "both certificates of %q have the same key", subject(sign)))
	}
	return found
}

func usages(c *x509.Certificate) string {
	if c.KeyUsage == 0 {
		return strings.Join(append([]string{"any (no KeyUsage)"}, Usages(c)...), ", ")
	}
	return strings.Join(Usages(c), ", ")
}

// CheckTime checks the validity of a certificate.
func CheckTime(c *x509.Certificate, now time.Time) []cause.Finding {
	switch left := c.NotAfter.Sub(now); {
	case now.Before(c.NotBefore):
		return []cause.Finding{cause.Find(cause.NotYetValid, "%q is valid from %s, this machine's clock says %s",
			subject(c), c.NotBefore.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime))}
	case left <= 0:
		return []cause.Finding{cause.Find(cause.Expired, "%q ended on %s, this machine's clock says %s",
			subject(c), c.NotAfter.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime))}
	case left < SoonDays*24*time.Hour:
		return []cause.Finding{cause.Warn(cause.ExpiresSoon, "%q has %d days left", subject(c), int(left.Hours()/24))}
	}
	return nil
}

// CheckServer checks one leaf of a server with the certificates that came along
// with it. Without roots the chain is not checked; without a name, names are not.
func CheckServer(leaf *x509.Certificate, others []*x509.Certificate, roots *Roots, name string, now time.Time) []cause.Finding {
	found := CheckTime(leaf, now)
	if name != "" && leaf.VerifyHostname(name) != nil {
		found = append(found, cause.Find(cause.NameMismatch, "%q is not among the names of %q: %s",
			name, subject(leaf), strings.Join(Names(leaf), ", ")))
	}
	if len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, stdx509.ExtKeyUsageServerAuth) &&
		!slices.Contains(leaf.ExtKeyUsage, stdx509.ExtKeyUsageAny) {
		found = append(found, cause.Find(cause.NoServerAuth, "%q is for %s", subject(leaf), strings.Join(Usages(leaf), ", ")))
	}
	if roots == nil {
		return found
	}
	return append(found, CheckChain(leaf, others, roots.Certs, now)...)
}

// CheckChain checks that a certificate leads to one of the roots. Other checks
// report the certificate's own validity, names and usages.
func CheckChain(leaf *x509.Certificate, others, roots []*x509.Certificate, now time.Time) []cause.Finding {
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		CurrentTime: nearestValidTime(leaf, now), KeyUsages: []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageAny},
	}
	for _, c := range roots {
		opts.Roots.AddCert(c)
	}
	for _, c := range others {
		opts.Intermediates.AddCert(c)
	}
	_, err := x509.Verify(leaf, opts)
	if err == nil {
		return nil
	}
	if why := x509.Explain([]*x509.Certificate{leaf}, slices.Concat(others, roots)); errors.Is(why, x509.ErrOtherSignerID) {
		return []cause.Finding{cause.Find(cause.SignerID, "%v", why)}
	}
	top := lastIssuer(leaf, others)
	if bytes.Equal(top.RawSubject, top.RawIssuer) && !bytes.Equal(top.Raw, leaf.Raw) &&
		!slices.ContainsFunc(roots, func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, top.RawSubject) }) {
		return []cause.Finding{cause.Find(cause.UnknownRoot, "%q leads to the root %q, which came along with it and is not among the %d given",
			subject(leaf), subject(top), len(roots))}
	}
	for _, c := range append(slices.Clone(roots), others...) {
		if bytes.Equal(c.Raw, leaf.Raw) || !bytes.Equal(c.RawSubject, top.RawIssuer) {
			continue
		}
		for _, f := range CheckTime(c, opts.CurrentTime) {
			if !f.Warning {
				return []cause.Finding{f}
			}
		}
		if x509.IsSM2(c.PublicKey) != x509.IsSM2(leaf.PublicKey) {
			return []cause.Finding{cause.Find(cause.FamilyMixed, "%q has a key of %s, its issuer %q one of %s",
				subject(leaf), KeyName(leaf.PublicKey), subject(c), KeyName(c.PublicKey))}
		}
		if err := x509.CheckSignatureFrom(top, c); err != nil && len(c.SubjectKeyId) > 0 && bytes.Equal(top.AuthorityKeyId, c.SubjectKeyId) {
			return []cause.Finding{cause.Find(cause.ChainBroken, "%q names the CA %q and its key id, and that is not its issuer: %v", subject(top), subject(c), err)}
		} else if err != nil {
			return []cause.Finding{cause.Find(cause.WrongRoot, "%q was issued by %q%s; the one given has the key id %s",
				subject(top), issuer(top), keyID(top.AuthorityKeyId), hex.EncodeToString(c.SubjectKeyId))}
		}
		return []cause.Finding{cause.Find(cause.ChainBroken, "%q: %v", subject(leaf), err)}
	}
	if bytes.Equal(top.RawSubject, top.RawIssuer) {
		return []cause.Finding{cause.Find(cause.UnknownRoot, "%q is self-signed and not among the %d given", subject(top), len(roots))}
	}
	what := fmt.Sprintf("%q was issued by %q%s, which is neither in its chain nor among the %d given",
		subject(top), issuer(top), keyID(top.AuthorityKeyId), len(roots))
	if above := issuerOfIssuer(top); above != nil && !bytes.Equal(above, top.RawIssuer) {
		return []cause.Finding{cause.Find(cause.NoIntermediate, "%s; by the authority key identifier another CA issued that one", what)}
	}
	return []cause.Finding{cause.Find(cause.UnknownRoot, "%s", what)}
}

// NotSent reports whether a certificate leads to a root with the help of the authorities in known, which were found elsewhere. If so,
// the server did not send an intermediate CA, and no root is missing.
func NotSent(leaf *x509.Certificate, others, known, roots []*x509.Certificate, now time.Time) bool {
	return len(CheckChain(leaf, slices.Concat(others, known), roots, now)) == 0
}

// issuerOfIssuer returns the name of who issued the certificate of the CA that issued c, where the authority key identifier of c gives it
// (RFC 5280, section 4.2.1.1): that of a root is its own. nil: it does not.
func issuerOfIssuer(c *x509.Certificate) []byte {
	var id struct {
		KeyID  []byte        `asn1:"optional,tag:0"`
		Issuer asn1.RawValue `asn1:"optional,tag:1"`
		Serial *big.Int      `asn1:"optional,tag:2"`
	}
	for _, ext := range c.Extensions {
		if !ext.Id.Equal(oidAuthorityKeyID) {
			continue
		}
		if rest, err := asn1.Unmarshal(ext.Value, &id); err != nil || len(rest) > 0 {
			return nil
		}
	}
	var name asn1.RawValue
	if _, err := asn1.Unmarshal(id.Issuer.Bytes, &name); err != nil || name.Class != asn1.ClassContextSpecific || name.Tag != directoryName {
		return nil
	}
	return name.Bytes
}

var oidAuthorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}

const directoryName = 4 // among the kinds of GeneralName

func keyID(id []byte) string {
	if len(id) == 0 {
		return ""
	}
	return fmt.Sprintf(" with the key id %s", hex.EncodeToString(id))
}

// nearestValidTime returns now, or the nearest time at which the certificate is valid.
func nearestValidTime(c *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.Before(c.NotBefore):
		return c.NotBefore
	case now.After(c.NotAfter):
		return c.NotAfter
	}
	return now
}

// maxChecks is how many signatures are verified to follow a chain, as in crypto/x509. A server may send hundreds of certificates with one
// name, of which each would be tried as the issuer of each other.
const maxChecks = 100

// checks counts signatures that are still verified. When none is left, nothing has issued anything any more.
type checks struct{ left int }

// lastIssuer follows the issuers among others and returns the last one found.
func lastIssuer(c *x509.Certificate, others []*x509.Certificate) *x509.Certificate {
	s := &checks{maxChecks}
	for range others {
		i := slices.IndexFunc(others, func(o *x509.Certificate) bool { return s.issued(o, c) })
		if i < 0 || bytes.Equal(c.RawSubject, c.RawIssuer) {
			break
		}
		c = others[i]
	}
	return c
}

// Chain lists the subjects from a certificate to the last known authority, and
// where each of them comes from.
func Chain(leaf *x509.Certificate, others []*x509.Certificate, roots *Roots) []string {
	names := []string{subject(leaf) + " (sent)"}
	c, s := leaf, &checks{maxChecks}
	for range others {
		i := slices.IndexFunc(others, func(o *x509.Certificate) bool { return s.issued(o, c) })
		if i < 0 {
			break
		}
		c = others[i]
		names = append(names, subject(c)+" (sent)")
	}
	if bytes.Equal(c.RawSubject, c.RawIssuer) {
		return names
	}
	if roots != nil {
		s := &checks{len(roots.Certs)}
		if i := slices.IndexFunc(roots.Certs, func(o *x509.Certificate) bool { return s.issued(o, c) }); i >= 0 {
			return append(names, subject(roots.Certs[i])+" (given by --ca)")
		}
	}
	return append(names, issuer(c)+" (neither sent nor given)")
}

// issued reports whether an authority issued c, which is another certificate.
func (s *checks) issued(authority, c *x509.Certificate) bool {
	if s.left == 0 || !bytes.Equal(authority.RawSubject, c.RawIssuer) || bytes.Equal(authority.Raw, c.Raw) {
		return false
	}
	s.left--
	return x509.CheckSignatureFrom(c, authority) == nil
}

func subject(c *x509.Certificate) string { return loglimit.Printable(c.Subject.String()) }
func issuer(c *x509.Certificate) string  { return loglimit.Printable(c.Issuer.String()) }
