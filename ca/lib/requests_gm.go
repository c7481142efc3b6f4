// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"net/http"

	"github.com/cloudflare/cfssl/signer"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/lib/caerrors"
)

// processSignRequest checks the request for a certificate, and completes it by what is known of the identity.
//
//fork:wrap fix: a request may not name extensions, the address of a revocation list, or a precertificate: the signer took them from the client, and so an identity could give itself attributes, have the server fetch from an address of its choice, and get a certificate that is on no record
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
		return upstreamProcessSignRequest(id, req, ca, ctx)
	}
	return caerrors.NewHTTPErr(http.StatusBadRequest, caerrors.ErrBadReqBody, "a request may not have the field %s: the CA decides it", field)
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
