// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/x509"

	"github.com/emmansun/gmsm/smx509"
)

// The functions below copy the fields that have the same Go type in crypto/x509 and smx509. convert_test.go fails when
// either package grows a field that is not carried over.

func copyCertToStd(dst *x509.Certificate, src *smx509.Certificate) {
	dst.Raw = src.Raw
	dst.RawTBSCertificate = src.RawTBSCertificate
	dst.RawSubjectPublicKeyInfo = src.RawSubjectPublicKeyInfo
	dst.RawSubject = src.RawSubject
	dst.RawIssuer = src.RawIssuer
	dst.Signature = src.Signature
	dst.PublicKey = src.PublicKey
	dst.Version = src.Version
	dst.SerialNumber = src.SerialNumber
	dst.Issuer = src.Issuer
	dst.Subject = src.Subject
	dst.NotBefore = src.NotBefore
	dst.NotAfter = src.NotAfter
	dst.Extensions = src.Extensions
	dst.ExtraExtensions = src.ExtraExtensions
	dst.UnhandledCriticalExtensions = src.UnhandledCriticalExtensions
	dst.UnknownExtKeyUsage = src.UnknownExtKeyUsage
	dst.BasicConstraintsValid = src.BasicConstraintsValid
	dst.IsCA = src.IsCA
	dst.MaxPathLen = src.MaxPathLen
	dst.MaxPathLenZero = src.MaxPathLenZero
	dst.SubjectKeyId = src.SubjectKeyId
	dst.AuthorityKeyId = src.AuthorityKeyId
	dst.OCSPServer = src.OCSPServer
	dst.IssuingCertificateURL = src.IssuingCertificateURL
	dst.DNSNames = src.DNSNames
	dst.EmailAddresses = src.EmailAddresses
	dst.IPAddresses = src.IPAddresses
	dst.URIs = src.URIs
	dst.PermittedDNSDomainsCritical = src.PermittedDNSDomainsCritical
	dst.PermittedDNSDomains = src.PermittedDNSDomains
	dst.ExcludedDNSDomains = src.ExcludedDNSDomains
	dst.PermittedIPRanges = src.PermittedIPRanges
	dst.ExcludedIPRanges = src.ExcludedIPRanges
	dst.PermittedEmailAddresses = src.PermittedEmailAddresses
	dst.ExcludedEmailAddresses = src.ExcludedEmailAddresses
	dst.PermittedURIDomains = src.PermittedURIDomains
	dst.ExcludedURIDomains = src.ExcludedURIDomains
	dst.CRLDistributionPoints = src.CRLDistributionPoints
	dst.PolicyIdentifiers = src.PolicyIdentifiers
	dst.InhibitAnyPolicy = src.InhibitAnyPolicy
	dst.InhibitAnyPolicyZero = src.InhibitAnyPolicyZero
	dst.InhibitPolicyMapping = src.InhibitPolicyMapping
	dst.InhibitPolicyMappingZero = src.InhibitPolicyMappingZero
	dst.RequireExplicitPolicy = src.RequireExplicitPolicy
	dst.RequireExplicitPolicyZero = src.RequireExplicitPolicyZero
}

func copyCertToSM(dst *smx509.Certificate, src *x509.Certificate) {
	dst.Raw = src.Raw
	dst.RawTBSCertificate = src.RawTBSCertificate
	dst.RawSubjectPublicKeyInfo = src.RawSubjectPublicKeyInfo
	dst.RawSubject = src.RawSubject
	dst.RawIssuer = src.RawIssuer
	dst.Signature = src.Signature
	dst.PublicKey = src.PublicKey
	dst.Version = src.Version
	dst.SerialNumber = src.SerialNumber
	dst.Issuer = src.Issuer
	dst.Subject = src.Subject
	dst.NotBefore = src.NotBefore
	dst.NotAfter = src.NotAfter
	dst.Extensions = src.Extensions
	dst.ExtraExtensions = src.ExtraExtensions
	dst.UnhandledCriticalExtensions = src.UnhandledCriticalExtensions
	dst.UnknownExtKeyUsage = src.UnknownExtKeyUsage
	dst.BasicConstraintsValid = src.BasicConstraintsValid
	dst.IsCA = src.IsCA
	dst.MaxPathLen = src.MaxPathLen
	dst.MaxPathLenZero = src.MaxPathLenZero
	dst.SubjectKeyId = src.SubjectKeyId
	dst.AuthorityKeyId = src.AuthorityKeyId
	dst.OCSPServer = src.OCSPServer
	dst.IssuingCertificateURL = src.IssuingCertificateURL
	dst.DNSNames = src.DNSNames
	dst.EmailAddresses = src.EmailAddresses
	dst.IPAddresses = src.IPAddresses
	dst.URIs = src.URIs
	dst.PermittedDNSDomainsCritical = src.PermittedDNSDomainsCritical
	dst.PermittedDNSDomains = src.PermittedDNSDomains
	dst.ExcludedDNSDomains = src.ExcludedDNSDomains
	dst.PermittedIPRanges = src.PermittedIPRanges
	dst.ExcludedIPRanges = src.ExcludedIPRanges
	dst.PermittedEmailAddresses = src.PermittedEmailAddresses
	dst.ExcludedEmailAddresses = src.ExcludedEmailAddresses
	dst.PermittedURIDomains = src.PermittedURIDomains
	dst.ExcludedURIDomains = src.ExcludedURIDomains
	dst.CRLDistributionPoints = src.CRLDistributionPoints
	dst.PolicyIdentifiers = src.PolicyIdentifiers
	dst.InhibitAnyPolicy = src.InhibitAnyPolicy
	dst.InhibitAnyPolicyZero = src.InhibitAnyPolicyZero
	dst.InhibitPolicyMapping = src.InhibitPolicyMapping
	dst.InhibitPolicyMappingZero = src.InhibitPolicyMappingZero
	dst.RequireExplicitPolicy = src.RequireExplicitPolicy
	dst.RequireExplicitPolicyZero = src.RequireExplicitPolicyZero
}

func copyRequestToStd(dst *x509.CertificateRequest, src *smx509.CertificateRequest) {
	dst.Raw = src.Raw
	dst.RawTBSCertificateRequest = src.RawTBSCertificateRequest
	dst.RawSubjectPublicKeyInfo = src.RawSubjectPublicKeyInfo
	dst.RawSubject = src.RawSubject
	dst.Version = src.Version
	dst.Signature = src.Signature
	dst.PublicKey = src.PublicKey
	dst.Subject = src.Subject
	dst.Attributes = src.Attributes
	dst.Extensions = src.Extensions
	dst.ExtraExtensions = src.ExtraExtensions
	dst.DNSNames = src.DNSNames
	dst.EmailAddresses = src.EmailAddresses
	dst.IPAddresses = src.IPAddresses
	dst.URIs = src.URIs
}

func copyRequestToSM(dst *smx509.CertificateRequest, src *x509.CertificateRequest) {
	dst.Raw = src.Raw
	dst.RawTBSCertificateRequest = src.RawTBSCertificateRequest
	dst.RawSubjectPublicKeyInfo = src.RawSubjectPublicKeyInfo
	dst.RawSubject = src.RawSubject
	dst.Version = src.Version
	dst.Signature = src.Signature
	dst.PublicKey = src.PublicKey
	dst.Subject = src.Subject
	dst.Attributes = src.Attributes
	dst.Extensions = src.Extensions
	dst.ExtraExtensions = src.ExtraExtensions
	dst.DNSNames = src.DNSNames
	dst.EmailAddresses = src.EmailAddresses
	dst.IPAddresses = src.IPAddresses
	dst.URIs = src.URIs
}

func copyRevocationListToSM(dst *smx509.RevocationList, src *x509.RevocationList) {
	dst.Raw = src.Raw
	dst.RawTBSRevocationList = src.RawTBSRevocationList
	dst.RawIssuer = src.RawIssuer
	dst.Issuer = src.Issuer
	dst.AuthorityKeyId = src.AuthorityKeyId
	dst.Signature = src.Signature
	dst.RevokedCertificates = src.RevokedCertificates
	dst.Number = src.Number
	dst.ThisUpdate = src.ThisUpdate
	dst.NextUpdate = src.NextUpdate
	dst.Extensions = src.Extensions
	dst.ExtraExtensions = src.ExtraExtensions
}
