// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql"
	"os"

	"modernc.org/sqlite"
)

// The name is the one that upstream, sqlx and existing configurations know.
func init() { sql.Register("sqlite3", &sqlite.Driver{}) }

// dataSource adds to the name of the database's file what is set for each connection: how long it waits for another
// process that writes, that LIKE distinguishes cases, as = and the other databases do, and the form of times that stock servers write and read. A file that is not there is made first, for its owner
// alone: it will have the hashes of passwords, and SQLite would let everybody read it.
func dataSource(file string) string {
	if f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		f.Close()
	}
	return file + "?_pragma=busy_timeout(5000)&_pragma=case_sensitive_like(1)&_time_format=sqlite"
}
