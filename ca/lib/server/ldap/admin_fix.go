// SPDX-License-Identifier: Apache-2.0

package ldap

import (
	"fmt"
	"sync"

	"github.com/cloudflare/cfssl/log"
	ldap "github.com/go-ldap/ldap/v3"
	"github.com/pkg/errors"

	causer "github.com/hyperledger/fabric-ca/lib/server/user"
)

// Client asks a directory.
//
//fork:fields fix: requests that run at once shared the administrator's connection without a lock
type Client struct {
	adminLock sync.Mutex // of AdminConn, which all requests share; a connection carries many searches at once
}

// GetUser finds the user of a name in the directory, with the attributes that the configuration names.
//
//fork:replace fix: "requests that ran at once took the administrator's connection from each other: logins failed for a search that another request had ended, and connections stayed open until the directory had none left"
func (lc *Client) GetUser(username string, _ []string) (causer.User, error) {
	filter := fmt.Sprintf(lc.UserFilter, ldap.EscapeFilter(username))
	found, err := lc.search(ldap.NewSearchRequest(lc.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, lc.attrNames, nil))
	if err != nil {
		return nil, err
	}
	if n := len(found.Entries); n != 1 {
		return nil, errors.Errorf("the directory (LDAP) has %d users '%s' by the filter %s below '%s'", n, username, lc.UserFilter, lc.Base)
	}
	return &user{name: username, entry: found.Entries[0], client: lc}, nil
}

// search asks by the connection that is kept. If that fails, for whatever cause, it asks once more by one of its own, which no other request can
// close, and keeps that.
func (lc *Client) search(request *ldap.SearchRequest) (*ldap.SearchResult, error) {
	if kept := lc.keep(nil); kept != nil {
		found, err := kept.Search(request)
		if err == nil {
			return found, nil
		}
		log.Debugf("The kept connection to the directory is given up: %s", err)
		lc.drop(kept)
	}
	own, err := lc.newConnection()
	if err != nil {
		return nil, err
	}
	found, err := own.Search(request)
	if err != nil {
		own.Close()
		return nil, errors.Wrapf(err, "the directory (LDAP) refused the search %s below '%s'", request.Filter, request.BaseDN)
	}
	if lc.keep(own) != own {
		own.Close()
	}
	return found, nil
}

// keep keeps a connection for later searches, unless one is kept already, and returns the one that is kept, nil if there is none.
func (lc *Client) keep(own Connection) Connection {
	lc.adminLock.Lock()
	defer lc.adminLock.Unlock()
	if lc.AdminConn == nil {
		lc.AdminConn = own
	}
	return lc.AdminConn
}

// drop closes a connection, and keeps it no longer. One that another request keeps meanwhile stays.
func (lc *Client) drop(failed Connection) {
	lc.adminLock.Lock()
	if lc.AdminConn == failed {
		lc.AdminConn = nil
	}
	lc.adminLock.Unlock()
	failed.Close()
}
