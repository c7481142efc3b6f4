// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/lib/caerrors"
	"github.com/hyperledger/fabric-ca/lib/server/idemix"
	"github.com/hyperledger/fabric-ca/util"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// verifyX509Token authenticates the sender of a request by its token.
//
//fork:wrap fix: a token was good any number of times, for whoever had seen the request; one that renews, or that an SM2 key has signed for a change, is good once
func (ctx *serverRequestContextImpl) verifyX509Token(ca *CA, token, method, uri string, body []byte) (string, error) {
	before := ctx.caller != nil // the same request has been authenticated already
	id, err := ctx.upstreamVerifyX509Token(ca, token, method, uri, body)
	if err != nil || before || method == http.MethodGet || method == http.MethodHead {
		return id, err
	}
	if mark := markOf(ctx.enrollmentCert, ctx.endpoint.Path, token, body); mark != "" {
		err = ca.spend(mark, ctx.enrollmentCert.NotAfter)
	}
	if err != nil {
		ctx.enrollmentID, ctx.enrollmentCert, ctx.caller = "", nil, nil
		return "", err
	}
	return id, nil
}

// markOf is what a token that is good once is known by; empty for others. ECDSA tokens for other requests than a renewal are as in stock: some
// SDKs sign the same request with the same signature.
func markOf(cert *x509.Certificate, endpoint, token string, body []byte) string {
	var what []byte
	switch {
	case x509.IsSM2(cert.PublicKey): // its signatures have one encoding, and nobody can make another one of the same request
		_, b64, _ := strings.Cut(token, ".")
		what, _ = util.B64Decode(b64) // which was verified
	case endpoint == "reenroll":
		what = append(append(what, cert.Raw...), body...)
	default:
		return ""
	}
	sum := sha256.Sum256(what)
	return "token:" + hex.EncodeToString(sum[:])
}

// lastTime is the last that the table of nonces holds in MySQL, whose TIMESTAMP ends in January 2038.
var lastTime = time.Date(2038, time.January, 1, 0, 0, 0, 0, time.UTC)

// spend records that a token was used, for all servers on the database, until its certificate ends: among the nonces of Idemix, of which the
// server removes those that have ended.
func (ca *CA) spend(mark string, end time.Time) error {
	if end.After(lastTime) || end.Before(time.Now()) { // ended: ca.reenrollignorecertexpiry
		end = lastTime
	}
	_, err := ca.db.NamedExec("SpendToken", idemix.InsertNonce, &idemix.Nonce{Val: mark, Expiry: end.UTC(), Level: ca.levels.Nonce})
	if err == nil {
		return nil
	}
	var uses int
	if ca.db.Get("SpendToken", &uses, ca.db.Rebind("SELECT COUNT(*) FROM nonces WHERE val = ?"), mark) == nil && uses > 0 {
		return caerrors.NewHTTPErr(http.StatusUnauthorized, caerrors.ErrInvalidToken, "the token of this request was used before: sign the request again")
	}
	return errors.Wrap(err, "recording that a token was used")
}
