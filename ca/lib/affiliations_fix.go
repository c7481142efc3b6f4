// SPDX-License-Identifier: Apache-2.0

package lib

import "strings"

// An affiliation and those below it. Its pattern is from the function below, which escapes with '!', as the databases agree on no escape.
const (
	//fork:replace fix: the name of an affiliation was a pattern, by which others of similar names were deleted with it
	deleteAffAndSubAff = `DELETE FROM affiliations WHERE name = ? OR name LIKE ? ESCAPE '!'`
	//fork:replace fix: the name of an affiliation was a pattern, by which others of similar names were listed, renamed and deleted with it
	getAllAffiliationsQuery = `SELECT * FROM affiliations WHERE name = ? OR name LIKE ? ESCAPE '!'`
	usersWithin             = `SELECT * FROM users WHERE (affiliation = ? OR affiliation LIKE ? ESCAPE '!')`
)

// literally escapes what a pattern of LIKE does not mean literally.
var literally = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// below is the pattern of LIKE for the names of all affiliations below one.
func below(affiliation string) string { return literally.Replace(affiliation) + ".%" }
