// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto/rsa"
	"net/http"

	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/signer"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/lib/caerrors"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// maxRSA is the length of the largest RSA key that is certified, in bits. The time to verify a signature grows with its square.
const maxRSA = 8192

// processSignRequest checks the request for a certificate, and completes it by what is known of the identity.
//
//fork:wrap fix: a request may not name extensions, the address of a revocation list, or a precertificate: the signer took them from the client, and so an identity could give itself attributes, have the server fetch from an address of its choice, and get a certificate that is on no record; an identity without type and affiliation chose its units, which give it its role
func processSignRequest(id string, req *signer.SignRequest, ca *CA, ctx *serverRequestContextImpl) error {
	var field string
	switch {
	case len(req.Extensions) > 0:
		field = "extensions"
	case req.CRLOverride != "":
		field = "crl_override"
	case req.ReturnPrecert:
		field = "ReturnPrecert"
	default:
		if err := upstreamProcessSignRequest(id, req, ca, ctx); err != nil {
			return err
		}
		setUnit(req.Subject)
		return nil
	}
	return caerrors.NewHTTPErr(http.StatusBadRequest, caerrors.ErrBadReqBody, "a request may not have the field %s: the CA decides it", field)
}

// typeNone is the type by which registrars may act on an identity that has none.
const typeNone = "client"

// setUnit gives a subject a unit if upstream, which takes them from type and affiliation, gave none: the signer would take those of the request.
func setUnit(subject *signer.Subject) {
	for _, name := range subject.Names {
		if name.OU != "" {
			return
		}
	}
	subject.Names = append(subject.Names, csr.Name{OU: typeNone})
}

// csrInputLengthCheck refuses what is too long in a certificate request. Its signature is verified later.
//
//fork:wrap fix: a subject with an attribute that is no text ended the request by a panic; long RSA keys cost seconds
func csrInputLengthCheck(req *x509.CertificateRequest) error {
	for _, attribute := range req.Subject.Names {
		if _, ok := attribute.Value.(string); !ok {
			return errors.Errorf("the attribute %s of the subject is no text", attribute.Type)
		}
	}
	if key, ok := req.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSA {
		return errors.Errorf("the RSA key has %d bits, and may have %d", key.N.BitLen(), maxRSA)
	}
	return upstreamCsrInputLengthCheck(req)
}

// issue signs a request, and looks afterwards whether the identity was revoked meanwhile. A revocation first marks the identity and then
// its certificates that are on record: either the mark is seen here, or the new certificate is revoked with the others. Directories have
// no such mark.
func (ca *CA) issue(id string, req signer.SignRequest) ([]byte, error) {
	cert, err := ca.enrollSigner.Sign(req)
	if err != nil || ca.Config.LDAP.Enabled {
		return cert, err
	}
	var state int
	if err := ca.db.Get("IsRevoked", &state, ca.db.Rebind("SELECT state FROM users WHERE id = ?"), id); err != nil {
		return nil, errors.Wrapf(err, "looking whether %s is revoked", id)
	}
	if state < 0 {
		return nil, caerrors.NewAuthenticationErr(caerrors.ErrRevokedID, "%s was revoked while a certificate was issued", id)
	}
	return cert, nil
}

// idemixCaller verifies an Idemix token. The library panics if the token's signature lacks a part.
func (ctx *serverRequestContextImpl) idemixCaller(token, method, uri string, body []byte) (id string, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = errors.Errorf("%v", cause)
		}
		if err != nil {
			id, err = "", caerrors.NewAuthenticationErr(caerrors.ErrInvalidToken, "Invalid Idemix token in authorization header: %s", err)
		}
	}()
	return ctx.ca.issuer.VerifyToken(token, method, uri, body)
}
