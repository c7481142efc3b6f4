// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric-ca/api"
	"github.com/hyperledger/fabric-ca/lib/attr"
	"github.com/hyperledger/fabric-ca/lib/caerrors"
	"github.com/hyperledger/fabric-ca/lib/server/db"
	_ "github.com/hyperledger/fabric-ca/lib/server/db/sqlite" // the driver
	"github.com/hyperledger/fabric-ca/lib/server/user"
)

// identities is an accessor of a new database.
func identities(t *testing.T) (*Accessor, *sqlx.DB) {
	t.Helper()
	opened, err := sqlx.Open("sqlite3", filepath.Join(t.TempDir(), "users.db"))
	require.NoError(t, err)
	t.Cleanup(func() { opened.Close() })
	_, err = opened.Exec(`CREATE TABLE users (id VARCHAR(255), token bytea, type VARCHAR(256), affiliation VARCHAR(1024), attributes TEXT,
		state INTEGER, max_enrollments INTEGER, level INTEGER, incorrect_password_attempts INTEGER)`)
	require.NoError(t, err)
	return NewDBAccessor(db.New(opened, "", nil)), opened
}

// TestChangeKeepsTheRest: a change of an identity writes what it changes and no more. What happened after it had read the record stays: a
// revocation, counted enrolments, another password, and guesses of the password that is still valid.
func TestChangeKeepsTheRest(t *testing.T) {
	registry, opened := identities(t)
	require.NoError(t, registry.InsertUser(&user.Info{Name: "ida", Pass: "first", Type: "client", MaxEnrollments: 5}))
	read := func() *user.Impl {
		found, err := registry.GetUser("ida", nil)
		require.NoError(t, err)
		return found.(*user.Impl)
	}
	change := func(of *user.Impl, secret string) {
		changed := of.Info
		changed.Affiliation, changed.Pass = "org1", string(of.GetPass())
		if secret != "" {
			changed.Pass, changed.IncorrectPasswordAttempts = secret, 0
		}
		require.NoError(t, registry.UpdateUser(&changed, secret != ""))
	}

	before := read()
	require.NoError(t, read().LoginComplete())
	require.Error(t, read().Login("wrong", -1))
	change(before, "")
	after := read()
	require.Equal(t, []any{1, 1, "org1"}, []any{after.State, after.IncorrectPasswordAttempts, after.Affiliation})

	change(before, "second")
	after = read()
	require.Equal(t, []any{1, 0}, []any{after.State, after.IncorrectPasswordAttempts})
	change(before, "")
	require.NoError(t, read().Login("second", -1), "the password that was changed meanwhile")

	before = read()
	require.NoError(t, read().Revoke())
	for _, secret := range []string{"", "third"} {
		change(before, secret)
		require.True(t, read().IsRevoked(), secret)
		require.ErrorContains(t, read().Login(map[bool]string{true: "third", false: "second"}[secret != ""], -1), "revoked")
	}
	var rows int
	require.NoError(t, opened.Get(&rows, "SELECT COUNT(*) FROM users"))
	require.Equal(t, 1, rows)
}

// TestTakenPlaces: a registrar gives a new secret, or more enrolments, to himself, and to those whose attributes he may hand on. Nobody gives
// them to an identity that is revoked. Other changes are judged as upstream judges them.
func TestTakenPlaces(t *testing.T) {
	who := func(name string, state int, attributes ...string) user.User {
		info := user.Info{Name: name, Type: "client", State: state, MaxEnrollments: -1, Attributes: []api.Attribute{
			{Name: attr.EnrollmentID, Value: name}, {Name: attr.Type, Value: "client"}, {Name: attr.Affiliation, Value: ""},
		}}
		for i := 0; i < len(attributes); i += 2 {
			info.Attributes = append(info.Attributes, api.Attribute{Name: attributes[i], Value: attributes[i+1]})
		}
		registry, _ := identities(t)
		require.NoError(t, registry.InsertUser(&info))
		found, err := registry.GetUser(name, nil)
		require.NoError(t, err)
		return found
	}
	admin := func(name string) user.User {
		return who(name, 0, attr.Roles, "*", attr.DelegateRoles, "*", attr.RegistrarAttr, "*", attr.Revoker, "true", attr.GenCRL, "true")
	}
	small := who("small", 0, attr.Roles, "client")
	for name, test := range map[string]struct {
		caller, target user.User
		want           int // status of a refusal
	}{
		"an administrator by a small registrar":    {small, admin("admin"), http.StatusForbidden},
		"one right more":                           {small, who("other", 0, attr.GenCRL, "true"), http.StatusForbidden},
		"an attribute of its own":                  {small, who("other", 0, "role", "director"), http.StatusForbidden},
		"a plain identity":                         {small, who("other", 0), 0},
		"a plain identity that is revoked":         {small, who("other", -1), http.StatusForbidden},
		"himself":                                  {small, small, 0},
		"himself, revoked":                         {who("small", -1, attr.Roles, "client"), who("small", -1, attr.Roles, "client"), http.StatusForbidden},
		"an administrator by another":              {admin("admin"), admin("second"), 0},
		"attributes that name others":              {admin("admin"), who("other", 0, attr.RegistrarAttr, "hf.*,role", attr.DelegateRoles, "peer"), 0},
		"a registrar by one who may hand this on":  {who("first", 0, attr.Roles, "client", attr.RegistrarAttr, "hf.Registrar.Roles"), small, 0},
		"a role that the caller himself has not":   {who("first", 0, attr.Roles, "peer", attr.RegistrarAttr, "hf.Registrar.Roles"), small, http.StatusForbidden},
		"attributes that may be handed on by name": {who("first", 0, attr.Roles, "client", attr.RegistrarAttr, "role"), who("other", 0, "role", "clerk"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := &serverRequestContextImpl{caller: test.caller}
			for _, req := range []api.ModifyIdentityRequest{{Secret: "new"}, {MaxEnrollments: -1}, {MaxEnrollments: -2}} {
				err := ctx.CanModifyUser(&req, false, false, false, test.target)
				if test.want == 0 {
					require.NoError(t, err)
					continue
				}
				var refused *caerrors.HTTPErr
				require.ErrorAs(t, err, &refused)
				require.Equal(t, test.want, refused.GetStatusCode())
			}
			require.NoError(t, ctx.CanModifyUser(&api.ModifyIdentityRequest{Type: "client"}, false, false, false, test.target))
		})
	}
}

// TestRefusedNames: a name that is refused is refused with its field and what to do.
func TestRefusedNames(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("\u540d", 256)} {
		_, err := registerUser(&api.RegistrationRequest{Name: name}, "admin", nil, nil)
		var refused *caerrors.HTTPErr
		require.ErrorAs(t, err, &refused)
		require.Equal(t, http.StatusBadRequest, refused.GetStatusCode())
		require.ErrorContains(t, err, "id: the name of the identity has")
		require.ErrorContains(t, err, "must have 1 to 255; choose another")
	}
	err := checkAffiliation("org1.admin")
	require.ErrorContains(t, err, `name: the affiliation "org1.admin" has the part admin`)
	require.ErrorContains(t, err, "choose another word for this part")
}
