// SPDX-License-Identifier: Apache-2.0

package lib

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
