// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"github.com/cloudflare/cfssl/log"

	"github.com/hyperledger/fabric-ca/lib/server/db"
	"github.com/hyperledger/fabric-ca/lib/server/db/factory"
	"github.com/hyperledger/fabric-ca/lib/server/db/mysql"
	"github.com/hyperledger/fabric-ca/lib/server/db/postgres"
	"github.com/hyperledger/fabric-ca/lib/server/db/sqlite"
)

// createDB makes the database and its tables, and leaves open the pool of connections that it returns, and no other.
func createDB(in factory.DB) (*db.DB, error) {
	maintenance := poolOf(in) // of the database server: the database need not be there yet
	created, err := in.Create()
	for _, pool := range []db.FabricCADB{maintenance, poolOf(in)} {
		if pool != nil && (err != nil || pool != db.FabricCADB(created)) {
			closePool(pool)
		}
	}
	return created, err
}

// poolOf is the pool of connections that a database has now.
func poolOf(in factory.DB) db.FabricCADB {
	switch in := in.(type) {
	case *sqlite.Sqlite:
		return in.SqlxDB
	case *postgres.Postgres:
		return in.SqlxDB
	case *mysql.Mysql:
		return in.SqlxDB
	}
	return nil
}

// useDB takes a new pool of connections, and closes that of an attempt to initialise the database which failed.
func (ca *CA) useDB(pool db.FabricCADB) {
	if ca.db != nil {
		closePool(ca.db)
	}
	ca.db = pool
}

func closePool(pool db.FabricCADB) {
	if err := pool.Close(); err != nil {
		log.Warningf("Closing connections to the database: %s", err)
	}
}
