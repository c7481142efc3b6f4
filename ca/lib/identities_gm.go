// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hyperledger/fabric-ca/api"
	"github.com/hyperledger/fabric-ca/lib/attr"
	"github.com/hyperledger/fabric-ca/lib/caerrors"
	"github.com/hyperledger/fabric-ca/lib/server/user"
)

// What a change of an identity writes. The state, a mark of revocation or the count of enrolments, is no part of it: a change that ran beside
// a revocation would take the mark away. The password and the count of wrong ones go together.
const (
	changeIdentity = `UPDATE users SET type = :type, affiliation = :affiliation, attributes = :attributes, max_enrollments = :max_enrollments, level = :level`
	changeSecret   = `, token = :token, incorrect_password_attempts = :incorrect_password_attempts`
	ofIdentity     = ` WHERE id = :id`
)

func changeOf(secret bool) string {
	if secret {
		return changeIdentity + changeSecret + ofIdentity
	}
	return changeIdentity + ofIdentity
}

// CanModifyUser says whether the caller may change an identity as the request says.
//
//fork:wrap fix: a registrar could give a new password to an identity with more rights than he may hand on, and so take its place
func (ctx *serverRequestContextImpl) CanModifyUser(req *api.ModifyIdentityRequest, checkAff, checkType, checkAttrs bool, target user.User) error {
	if err := ctx.upstreamCanModifyUser(req, checkAff, checkType, checkAttrs, target); err != nil {
		return err
	}
	if req.Secret == "" && req.MaxEnrollments == 0 {
		return nil
	}
	if target.IsRevoked() {
		return caerrors.NewHTTPErr(http.StatusForbidden, caerrors.ErrRevokedID, "Identity '%s' is revoked: it gets no new secret and no more enrollments", target.GetName())
	}
	return canTakePlace(ctx.caller, target)
}

// canTakePlace says whether the caller may let somebody enrol as the target: himself, or an identity whose attributes he could all give to a
// new one.
func canTakePlace(caller, target user.User) error {
	if caller.GetName() == target.GetName() {
		return nil
	}
	attributes, err := target.GetAttributes(nil)
	if err != nil {
		return err
	}
	var chosen []api.Attribute
	for _, attribute := range attributes {
		switch attribute.Name {
		case attr.EnrollmentID, attr.Type, attr.Affiliation: // the CA sets these
		default:
			chosen = append(chosen, attribute)
		}
	}
	if err := attr.CanRegisterRequestedAttributes(chosen, anyAttributes{}, caller); err != nil {
		return caerrors.NewAuthorizationErr(caerrors.ErrRegAttrAuth, "A new secret or more enrollments for '%s' would hand its attributes on: %s", target.GetName(), err)
	}
	return nil
}

// anyAttributes has each attribute: how the attributes of the target depend on each other is not asked, since it has them already.
type anyAttributes struct{}

// GetAttribute returns the attribute.
func (anyAttributes) GetAttribute(name string) (*api.Attribute, error) {
	return &api.Attribute{Name: name, Value: "*"}, nil
}

// reservedUnits are the units by which an organisation usually knows the role of an identity. Types and affiliations both become units.
var reservedUnits = []string{"admin", "client", "orderer", "peer"}

// checkAffiliation refuses an affiliation whose units would give its identities a role.
func checkAffiliation(name string) error {
	for _, unit := range strings.Split(name, ".") {
		if slices.Contains(reservedUnits, unit) {
			return caerrors.NewHTTPErr(http.StatusBadRequest, caerrors.ErrUpdateConfigAddAff,
				"name: the affiliation %q has the part %s, which is a role: whoever is in it would have that role; choose another word for this part", name, unit)
		}
	}
	return nil
}

// processAffiliationPostRequest adds an affiliation.
//
//fork:wrap fix: who managed affiliations could make administrators, by an affiliation named like their role
func processAffiliationPostRequest(ctx *serverRequestContextImpl, caname string) (*api.AffiliationResponse, error) {
	var req api.AddAffiliationRequestNet
	if err := ctx.ReadBody(&req); err != nil {
		return nil, err
	}
	if err := checkAffiliation(req.Name); err != nil {
		return nil, err
	}
	return upstreamProcessAffiliationPostRequest(ctx, caname)
}

// processAffiliationPutRequest renames an affiliation.
//
//fork:wrap fix: who managed affiliations could make administrators, by an affiliation named like their role
func processAffiliationPutRequest(ctx *serverRequestContextImpl, caname string) (*api.AffiliationResponse, error) {
	var req api.ModifyAffiliationRequestNet
	if err := ctx.ReadBody(&req); err != nil {
		return nil, err
	}
	if err := checkAffiliation(req.NewName); err != nil {
		return nil, err
	}
	return upstreamProcessAffiliationPutRequest(ctx, caname)
}

// registerUser registers an identity.
//
//fork:wrap fix: a name that a database cannot hold was an error of the server that named no field, and an identity without a name was registered
func registerUser(req *api.RegistrationRequest, registrar string, ca *CA, ctx ServerRequestContext) (string, error) {
	if length := utf8.RuneCountInString(req.Name); length == 0 || length > maxSubject {
		return "", caerrors.NewHTTPErr(http.StatusBadRequest, caerrors.ErrAddIdentity,
			"id: the name of the identity has %d characters, and must have 1 to %d; choose another", length, maxSubject)
	}
	return upstreamRegisterUser(req, registrar, ca, ctx)
}
