// SPDX-License-Identifier: Apache-2.0

package api

// ProfileTLCP is the signing profile of the two certificates of a TLCP server or client (GB/T 38636-2020, 6.4.5.4). One
// enrolment issues both.
const ProfileTLCP = "tlcp"

// EnrollmentRequestNet is a request to enroll an identity.
//
//fork:fields gm: an enrolment by profile tlcp asks for an encryption certificate too
type EnrollmentRequestNet struct {
	// EncryptionRequest is the certificate request of the encryption key, in PEM. Without it the CA makes that key, where it
	// is configured to.
	EncryptionRequest string `json:"encryption_request,omitempty"`
}

// EnrollmentResponseNet answers both.
//
//fork:fields gm: an enrolment by profile tlcp returns an encryption certificate too
type EnrollmentResponseNet struct {
	// EncryptionCert is the encryption certificate, PEM in base64.
	EncryptionCert string `json:",omitempty"`
	// EncryptedKey is the encryption key as SM2EnvelopedKey for the signing key (GB/T 35276-2017, 7.4; GM/T 0009), DER in
	// base64, where the CA made it.
	EncryptedKey string `json:",omitempty"`
}
