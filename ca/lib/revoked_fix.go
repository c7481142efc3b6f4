// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"time"

	"github.com/pkg/errors"
)

// now is the time of a change in the database. The columns have no time zone and are read as UTC.
func now() time.Time { return time.Now().UTC() }

// What a revocation writes; see now.
const (
	//fork:replace fix: the time of a revocation was that of the time zone of the database, and read as UTC
	updateRevokeSQL = `UPDATE certificates SET status = 'revoked', revoked_at = :revoked_at, reason = :reason WHERE id = :id AND status != 'revoked'`
	revokeOne       = `UPDATE certificates SET status = 'revoked', revoked_at = ?, reason = ? WHERE serial_number = ? AND authority_key_identifier = ?`
)

// RevokeCertificate revokes one certificate.
//
//fork:replace fix: the time of a revocation was that of the time zone of the database, and read as UTC
func (d *CertDBAccessor) RevokeCertificate(serial, aki string, reasonCode int) error {
	result, err := d.db.Exec("RevokeCertificate", d.db.Rebind(revokeOne), now(), reasonCode, serial, aki)
	if err != nil {
		return errors.Wrapf(err, "revoking the certificate %s of the authority key %s", serial, aki)
	}
	rows, err := result.RowsAffected()
	if err == nil && rows == 0 {
		err = errors.Errorf("no certificate with the serial number %s and the authority key identifier %s is in the database", serial, aki)
	}
	return err
}
