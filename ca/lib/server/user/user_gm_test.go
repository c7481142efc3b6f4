// SPDX-License-Identifier: Apache-2.0

package user_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	_ "github.com/hyperledger/fabric-ca/lib/server/db/sqlite" // the driver
	"github.com/hyperledger/fabric-ca/lib/server/user"
)

// users is a table of identities in a database.
type users struct{ *sqlx.DB }

func (u users) Exec(_, query string, args ...any) (sql.Result, error) {
	return u.DB.Exec(query, args...)
}

func (u users) Get(_ string, to any, query string, args ...any) error {
	return u.DB.Get(to, query, args...)
}

func (u users) Queryx(_, query string, args ...any) (*sqlx.Rows, error) {
	return u.DB.Queryx(query, args...)
}

// TestRevokedStaysRevoked: the end of an enrolment that began before the revocation of its identity counts nothing and fails, whether the
// identity may enrol without end or not. Enrolments are counted up to the limit, and no further.
func TestRevokedStaysRevoked(t *testing.T) {
	db, err := sqlx.Open("sqlite3", filepath.Join(t.TempDir(), "users.db"))
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec("CREATE TABLE users (id VARCHAR(255), state INTEGER)")
	require.NoError(t, err)
	state := func(id string) (state int) {
		require.NoError(t, db.Get(&state, "SELECT state FROM users WHERE id = ?", id))
		return state
	}
	for id, limit := range map[string]int{"unlimited": -1, "limited": 2} {
		_, err = db.Exec("INSERT INTO users VALUES (?, 0)", id)
		require.NoError(t, err)
		enrolling := user.New(&user.Record{Name: id, MaxEnrollments: limit}, users{db})
		for range 2 {
			require.NoError(t, enrolling.LoginComplete())
		}
		require.Equal(t, 2, state(id))
		require.Equal(t, limit > 0, enrolling.LoginComplete() != nil)
		_, err = db.Exec("UPDATE users SET state = 0 WHERE id = ?", id)
		require.NoError(t, err)

		require.NoError(t, user.New(&user.Record{Name: id, MaxEnrollments: limit}, users{db}).Revoke())
		require.Error(t, enrolling.LoginComplete())
		require.Equal(t, -1, state(id))
	}
}
