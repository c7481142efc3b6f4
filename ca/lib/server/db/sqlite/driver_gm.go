// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql"

	"modernc.org/sqlite"
)

// The name is the one that upstream, sqlx and existing configurations know.
func init() { sql.Register("sqlite3", &sqlite.Driver{}) }

// dataSource adds to the name of the database's file what is set for each connection: how long it waits for another
// process that writes, and the form of times that stock servers write and read.
func dataSource(file string) string {
	return file + "?_pragma=busy_timeout(5000)&_time_format=sqlite"
}
