// SPDX-License-Identifier: Apache-2.0

package ldap

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/cloudflare/cfssl/log"
	ldap "github.com/go-ldap/ldap/v3"
)

// patience is how long a directory has to take a connection, with its TLS handshake, and to answer each bind and each search.
var patience = 10 * time.Second

// dial connects to a directory. Without a configuration of TLS the URL is one of TCP.
func dial(url string, config *tls.Config) (*ldap.Conn, error) {
	conn, err := ldap.DialURL(url, ldap.DialWithDialer(&net.Dialer{Timeout: patience}), ldap.DialWithTLSConfig(config))
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(patience)
	return conn, nil
}

// Revoke marks nothing, as directories have no such mark. The certificates of the user are revoked after it.
//
//fork:replace fix: "revoke -e failed for users of a directory, and their certificates had to be revoked one by one"
func (u *user) Revoke() error {
	log.Warningf("The certificates of %s are revoked. It enrolls again with its password until it is locked or removed in the directory", u.entry.DN)
	return nil
}
