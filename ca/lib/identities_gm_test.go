// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"path/filepath"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

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
