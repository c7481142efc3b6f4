// SPDX-License-Identifier: Apache-2.0

package material

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	stdx509 "crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

// Info describes a certificate.
type Info struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"` // hexadecimal
	Key         string    `json:"key"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	DaysLeft    int       `json:"days_left"`
	Names       []string  `json:"names,omitempty"` // DNS names and addresses
	Usage       []string  `json:"usage,omitempty"`
	CA          bool      `json:"ca,omitempty"`
	Fingerprint string    `json:"sha256"`
}

// Describe returns the description of a certificate at a time.
func Describe(c *x509.Certificate, now time.Time) Info {
	sum := sha256.Sum256(c.Raw)
	return Info{
		Subject: loglimit.Printable(c.Subject.String()), Issuer: loglimit.Printable(c.Issuer.String()),
		Serial: c.SerialNumber.Text(16), Key: KeyName(c.PublicKey),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		DaysLeft: int(c.NotAfter.Sub(now).Hours() / 24),
		Names:    Names(c), Usage: Usages(c), CA: c.IsCA, Fingerprint: hex.EncodeToString(sum[:]),
	}
}

// Lines returns the description as indented lines.
func (i Info) Lines(indent string) string {
	usage := strings.Join(i.Usage, ", ")
	if usage == "" {
		usage = "any"
	}
	lines := []string{
		"subject " + i.Subject, "issuer  " + i.Issuer,
		fmt.Sprintf("key     %s, for %s", i.Key, usage),
		fmt.Sprintf("valid   %s to %s, %d days left", i.NotBefore.UTC().Format(time.DateOnly), i.NotAfter.UTC().Format(time.DateOnly), i.DaysLeft),
	}
	if len(i.Names) > 0 {
		lines = append(lines, "names   "+strings.Join(i.Names, ", "))
	}
	lines = append(lines, "sha256  "+i.Fingerprint)
	return indent + strings.Join(lines, "\n"+indent) + "\n"
}

// Names lists the DNS names and addresses of a certificate.
func Names(c *x509.Certificate) []string {
	var names []string
	for _, n := range c.DNSNames {
		names = append(names, loglimit.Printable(n))
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// KeyName names the algorithm of a public or private key, with its size.
func KeyName(key any) string {
	if x509.IsSM2(key) {
		return "SM2"
	}
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Params().Name
	case *ecdsa.PrivateKey:
		return "ECDSA " + k.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.Size()*8)
	case *rsa.PrivateKey:
		return fmt.Sprintf("RSA %d", k.Size()*8)
	case ed25519.PublicKey, ed25519.PrivateKey:
		return "Ed25519"
	}
	return "of an unknown kind"
}

var usageNames = []struct {
	usage stdx509.KeyUsage
	name  string
}{
	{stdx509.KeyUsageDigitalSignature, "digitalSignature"},
	{stdx509.KeyUsageContentCommitment, "contentCommitment"},
	{stdx509.KeyUsageKeyEncipherment, "keyEncipherment"},
	{stdx509.KeyUsageDataEncipherment, "dataEncipherment"},
	{stdx509.KeyUsageKeyAgreement, "keyAgreement"},
	{stdx509.KeyUsageCertSign, "certSign"},
	{stdx509.KeyUsageCRLSign, "cRLSign"},
}

// Usages lists key usages and extended key usages by the names of the standard.
func Usages(c *x509.Certificate) []string {
	var names []string
	for _, u := range usageNames {
		if c.KeyUsage&u.usage != 0 {
			names = append(names, u.name)
		}
	}
	for _, u := range c.ExtKeyUsage {
		switch u {
		case stdx509.ExtKeyUsageServerAuth:
			names = append(names, "serverAuth")
		case stdx509.ExtKeyUsageClientAuth:
			names = append(names, "clientAuth")
		case stdx509.ExtKeyUsageAny:
			names = append(names, "anyExtendedKeyUsage")
		}
	}
	return names
}
