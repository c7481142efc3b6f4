// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/cloudflare/cfssl/config"
	"github.com/cloudflare/cfssl/log"
	"github.com/emmansun/gmsm/sm2"
	"github.com/pkg/errors"
	"golang.org/x/crypto/ocsp"

	"github.com/hyperledger/fabric-ca/api"
	"github.com/hyperledger/fabric-ca/lib/caerrors"
	"github.com/hyperledger/fabric-ca/util"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// profileTLCPEncryption is the profile of the second certificate of a pair.
const profileTLCPEncryption = api.ProfileTLCP + "-encryption"

// Who makes the encryption key of a TLCP pair.
const (
	encryptionKeyByClient = "client"
	encryptionKeyByCA     = "ca"
)

// TLCPConfig is the CA's configuration of TLCP pairs.
type TLCPConfig struct {
	// EncryptionKey says who makes the encryption key of a pair: "client", the default, or "ca". With "ca" the key is
	// delivered to the holder of the signing key.
	EncryptionKey string `def:"client" help:"Who makes the encryption key of a TLCP pair: 'client' or 'ca'"`
	// Recovery says what a CA that makes encryption keys keeps of them: "none", or the file of an SM2 certificate, to whose key
	// they are enveloped.
	Recovery string `help:"With tlcp.encryptionkey 'ca': the SM2 certificate to whose key the CA envelops the encryption keys that it keeps, or 'none'"`
}

// CAConfig is the configuration of a CA.
//
//fork:fields gm: keys of TLCP pairs
type CAConfig struct {
	TLCP TLCPConfig
}

// initConfig completes the configuration.
//
//fork:wrap gm: every CA has the profiles of TLCP pairs
func (ca *CA) initConfig() error {
	if err := ca.upstreamInitConfig(); err != nil {
		return err
	}
	switch ca.Config.TLCP.EncryptionKey {
	case "", encryptionKeyByClient, encryptionKeyByCA:
	default:
		return errors.Errorf("tlcp.encryptionkey is %q; it must be %q or %q", ca.Config.TLCP.EncryptionKey, encryptionKeyByClient, encryptionKeyByCA)
	}
	if _, err := ca.recovery(); err != nil {
		return err
	}
	for name, usage := range map[string][]string{
		api.ProfileTLCP:       {"digital signature", "server auth", "client auth"},
		profileTLCPEncryption: {"key encipherment", "data encipherment", "key agreement", "server auth", "client auth"},
	} {
		profile := ca.Config.Signing.Profiles[name]
		if profile == nil {
			profile = &config.SigningProfile{}
			ca.Config.Signing.Profiles[name] = profile
		}
		if profile.Usage == nil { // also where the configuration sets the validity alone; upstream's default is for CAs
			profile.Usage = usage
		}
		initSigningProfile(&profile, defaultIssuedCertificateExpiration, false)
	}
	return checkEncryptionProfile(ca.Config.Signing.Profiles[profileTLCPEncryption])
}

// checkEncryptionProfile refuses usages of the second certificate of a pair by which its key could sign: the CA or a recovery may have this key,
// and so somebody else than the subject.
func checkEncryptionProfile(profile *config.SigningProfile) error {
	const signs = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	for _, usage := range profile.Usage {
		if config.KeyUsage[usage]&signs != 0 {
			return errors.Errorf("signing.profiles.%s.usage has %q: an encryption certificate must not sign (GB/T 38636); leave it out, or leave usage out for the default",
				profileTLCPEncryption, usage)
		}
	}
	return nil
}

// handleEnroll issues the certificates of an enrolment or a reenrolment.
//
//fork:wrap gm: profile tlcp issues the two certificates of TLCP in one enrolment; a CA that has ended issues nothing
func handleEnroll(ctx *serverRequestContextImpl, id string) (interface{}, error) {
	var req api.EnrollmentRequestNet
	if err := ctx.ReadBody(&req); err != nil {
		return nil, err
	}
	ca, err := ctx.GetCA()
	if err != nil {
		return nil, err
	}
	if err := ca.checkEnd(time.Now()); err != nil {
		return nil, err
	}
	if req.Profile != api.ProfileTLCP {
		if req.EncryptionRequest != "" || req.Profile == profileTLCPEncryption {
			return nil, badPair("an encryption certificate is issued with a signing certificate only, by profile %s", api.ProfileTLCP)
		}
		return upstreamHandleEnroll(ctx, id)
	}
	sign, err := parsePairRequest("certificate_request", req.Request)
	if err != nil {
		return nil, err
	}
	var made *sm2.PrivateKey
	encryptionRequest := req.EncryptionRequest
	if ca.Config.TLCP.EncryptionKey == encryptionKeyByCA {
		if encryptionRequest != "" {
			return nil, badPair("this CA makes the encryption keys of TLCP pairs (tlcp.encryptionkey: ca): leave encryption_request out")
		}
		if made, encryptionRequest, err = makeEncryptionKey(sign); err != nil {
			return nil, err
		}
	}
	enc, err := parsePairRequest("encryption_request", encryptionRequest)
	if err != nil {
		return nil, err
	}
	if string(enc.RawSubject) != string(sign.RawSubject) {
		return nil, badPair("the two requests differ in their subject: %s and %s", sign.Subject, enc.Subject)
	}
	if string(enc.RawSubjectPublicKeyInfo) == string(sign.RawSubjectPublicKeyInfo) {
		return nil, badPair("the two requests are of one key: signing and encryption need different keys")
	}
	if made == nil {
		return issuePair(ctx, id, &req, sign, encryptionRequest, nil)
	}
	return issueKept(ctx, id, &req, sign, encryptionRequest, made)
}

// checkEnd refuses to issue by a CA whose certificate has ended: the certificates would end with it.
func (ca *CA) checkEnd(now time.Time) error {
	text, err := os.ReadFile(ca.Config.CA.Certfile)
	if err != nil {
		return err
	}
	cert, err := util.GetX509CertificateFromPEM(text)
	if err != nil {
		return err
	}
	if now.After(cert.NotAfter) {
		return caerrors.NewHTTPErr(http.StatusInternalServerError, caerrors.ErrUnknown, "the certificate of the CA %s ended at %s: it issues nothing",
			ca.Config.CA.Name, cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// issueKept issues a pair for an encryption key that the CA has made, and keeps the key where it is configured to. Nothing is
// issued for a key that could not be kept.
func issueKept(ctx *serverRequestContextImpl, id string, req *api.EnrollmentRequestNet, sign *x509.CertificateRequest,
	encryptionRequest string, made *sm2.PrivateKey) (interface{}, error) {
	keep, err := ctx.ca.recovery()
	var name string
	if err == nil && keep != nil {
		name, err = keep.keep(made)
	}
	if err != nil {
		return nil, notKept(err)
	}
	resp, err := issuePair(ctx, id, req, sign, encryptionRequest, made)
	if keep == nil {
		return resp, err
	}
	if err != nil {
		if err := os.Remove(name + ".der"); err != nil {
			log.Errorf("An encryption key that was not certified stays kept for recovery: %s", err)
		}
		return nil, err
	}
	if err := certify(name, resp.EncryptionCert); err != nil {
		ctx.ca.withdraw(resp.Cert, resp.EncryptionCert)
		return nil, notKept(err)
	}
	return resp, nil
}

// notKept tells the log why, and the client no names of files.
func notKept(err error) error {
	log.Errorf("Nothing is delivered: %s", err)
	return caerrors.NewHTTPErr(http.StatusInternalServerError, caerrors.ErrUnknown, "the CA could not keep the encryption key for recovery; its log says why")
}

// issuePair has both certificates issued by upstream's rules, one after the other. Those of a pair that is not whole are revoked.
func issuePair(ctx *serverRequestContextImpl, id string, req *api.EnrollmentRequestNet, sign *x509.CertificateRequest,
	encryptionRequest string, made *sm2.PrivateKey) (*api.EnrollmentResponseNet, error) {
	var envelope []byte
	if made != nil {
		var err error
		if envelope, err = sm2.MarshalEnvelopedPrivateKey(rand.Reader, sign.PublicKey.(*ecdsa.PublicKey), made); err != nil {
			return nil, errors.WithMessage(err, "enveloping the encryption key")
		}
	}
	resp, err := issueBy(ctx, id, *req, api.ProfileTLCP, req.Request)
	if err != nil {
		return nil, err
	}
	enc, err := issueBy(ctx, id, *req, profileTLCPEncryption, encryptionRequest)
	if err != nil {
		ctx.ca.withdraw(resp.Cert)
		return nil, err
	}
	resp.EncryptionCert = enc.Cert
	if made != nil {
		resp.EncryptedKey = util.B64Encode(envelope)
	}
	if err := checkIssuedPair(resp); err != nil {
		ctx.ca.withdraw(resp.Cert, resp.EncryptionCert)
		return nil, errors.WithMessagef(err, "profiles %s and %s of the CA issue no pair that TLCP peers accept", api.ProfileTLCP, profileTLCPEncryption)
	}
	return resp, nil
}

// withdraw revokes certificates that were issued and are given to nobody, as the other one of their pair, or its key, could not be.
func (ca *CA) withdraw(issued ...string) {
	for _, b64 := range issued {
		cert, err := certificateIn(b64)
		if err == nil {
			aki := strings.TrimLeft(hex.EncodeToString(cert.AuthorityKeyId), "0")
			err = ca.certDBAccessor.RevokeCertificate(util.GetSerialAsHex(cert.SerialNumber), aki, ocsp.CessationOfOperation)
		}
		if err != nil {
			log.Errorf("A certificate of a TLCP pair that was not issued as a whole stays valid, but nobody has it: %s", err)
			continue
		}
		log.Warningf("Revoked the certificate %s of %s: its TLCP pair was not issued as a whole", util.GetSerialAsHex(cert.SerialNumber), cert.Subject.CommonName)
	}
}

// issueBy has upstream handle the request with another profile and certificate request.
func issueBy(ctx *serverRequestContextImpl, id string, req api.EnrollmentRequestNet, profile, request string) (*api.EnrollmentResponseNet, error) {
	req.Profile, req.Request, req.EncryptionRequest = profile, request, ""
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	before := ctx.body.buf
	ctx.body.buf = body
	defer func() { ctx.body.buf = before }()
	resp, err := upstreamHandleEnroll(ctx, id)
	if err != nil {
		return nil, err
	}
	return resp.(*api.EnrollmentResponseNet), nil
}

func badPair(format string, args ...interface{}) error {
	return caerrors.NewHTTPErr(http.StatusBadRequest, caerrors.ErrBadCSR, format, args...)
}

// parsePairRequest reads a certificate request of an SM2 key and verifies that its sender has the key.
func parsePairRequest(field, text string) (*x509.CertificateRequest, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) != 0 {
		return nil, badPair("%s holds no single certificate request in PEM; a TLCP pair needs one for each key", field)
	}
	req, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, badPair("%s: %s", field, err)
	}
	if !x509.IsSM2(req.PublicKey) {
		return nil, badPair("%s is of a key that is not an SM2 key, which TLCP needs: csr.keyrequest.algo must be %s", field, util.AlgoSM2)
	}
	if err := x509.CheckRequestSignature(req); err != nil {
		return nil, badPair("%s: %s", field, err)
	}
	return req, nil
}

// makeEncryptionKey makes a key for the subject of sign, and its certificate request.
func makeEncryptionKey(sign *x509.CertificateRequest) (*sm2.PrivateKey, string, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", errors.WithMessage(err, "making the encryption key")
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		RawSubject: sign.RawSubject, DNSNames: sign.DNSNames, IPAddresses: sign.IPAddresses, EmailAddresses: sign.EmailAddresses, URIs: sign.URIs,
	}, key)
	if err != nil {
		return nil, "", errors.WithMessage(err, "requesting the encryption certificate")
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// checkIssuedPair applies the rules by which TLCP peers judge a pair, so that a wrong profile is found here.
func checkIssuedPair(resp *api.EnrollmentResponseNet) error {
	sign, err := certificateIn(resp.Cert)
	if err != nil {
		return err
	}
	enc, err := certificateIn(resp.EncryptionCert)
	if err != nil {
		return err
	}
	return checkPair(sign, enc)
}

func checkPair(sign, enc *x509.Certificate) error {
	if err := x509.CheckPairUsage(sign, enc); err != nil {
		return err
	}
	return x509.CheckPairNames(sign, enc)
}
