// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto/ecdsa"
	"database/sql"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric-ca/lib/caerrors"
	"github.com/hyperledger/fabric-ca/lib/server/db"
	dbutil "github.com/hyperledger/fabric-ca/lib/server/db/util"
	"github.com/hyperledger/fabric-ca/lib/server/idemix"
	"github.com/hyperledger/fabric-ca/util"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// nonces is the table in which used tokens are.
type nonces struct {
	db.FabricCADB
	stored      []idemix.Nonce
	fail, blind error // of writing and of reading
}

func (*nonces) Rebind(query string) string { return query }

func (n *nonces) NamedExec(_, _ string, record any) (sql.Result, error) {
	nonce := *record.(*idemix.Nonce)
	for _, other := range n.stored {
		if other.Val == nonce.Val {
			return nil, errors.New("not unique")
		}
	}
	if n.fail == nil {
		n.stored = append(n.stored, nonce)
	}
	return nil, n.fail
}

func (n *nonces) Get(_ string, to any, _ string, args ...any) error {
	for _, nonce := range n.stored {
		if nonce.Val == args[0] {
			*to.(*int)++
		}
	}
	return n.blind
}

// TestSpend: a token is on record until its certificate ends, or as long as the table can say if the certificate lives longer or has ended. A
// token that is not recorded is not accepted.
func TestSpend(t *testing.T) {
	table := &nonces{}
	ca := &CA{db: table, levels: &dbutil.Levels{Nonce: 3}}
	end := time.Now().Add(time.Hour)
	for mark, want := range map[string]struct{ end, expiry time.Time }{
		"usual": {end, end}, "long": {lastTime.Add(time.Hour), lastTime}, "ended": {time.Now().Add(-time.Hour), lastTime},
	} {
		table.stored = nil
		require.NoError(t, ca.spend(mark, want.end))
		require.Equal(t, []idemix.Nonce{{Val: mark, Expiry: want.expiry.UTC(), Level: 3}}, table.stored)
		err := ca.spend(mark, want.end)
		require.Equal(t, http.StatusUnauthorized, caerrors.GetCause(err).GetStatusCode())
		require.ErrorContains(t, err, "was used before")
	}
	table.fail = sql.ErrConnDone
	require.ErrorIs(t, ca.spend("other", end), sql.ErrConnDone)
	table.blind = sql.ErrConnDone
	require.ErrorContains(t, ca.spend("ended", end), "recording that a token was used")
}

// TestMarks: a token of an SM2 key is known by its signature, and one that renews by an ECDSA key by certificate and request; other tokens of
// ECDSA keys are not known again.
func TestMarks(t *testing.T) {
	gm, standard := &x509.Certificate{PublicKey: &ecdsa.PublicKey{Curve: sm2.P256()}}, &x509.Certificate{PublicKey: &ecdsa.PublicKey{}, Raw: []byte("r")}
	token := func(signature string) string { return "cert." + util.B64Encode([]byte(signature)) }
	mark := markOf(gm, "register", token("a"), []byte("body"))
	require.NotEmpty(t, mark)
	require.Equal(t, mark, markOf(gm, "revoke", token("a"), []byte("other")), "a signature is of one request")
	require.NotEqual(t, mark, markOf(gm, "register", token("b"), []byte("body")), "the same request, signed again")

	require.Empty(t, markOf(standard, "register", token("a"), []byte("body")))
	renewal := markOf(standard, "reenroll", token("a"), []byte("body"))
	require.NotEmpty(t, renewal)
	require.Equal(t, renewal, markOf(standard, "reenroll", token("b"), []byte("body")), "others can change an ECDSA signature")
	require.NotEqual(t, renewal, markOf(standard, "reenroll", token("a"), []byte("other")))
	require.NotEqual(t, renewal, markOf(&x509.Certificate{PublicKey: &ecdsa.PublicKey{}, Raw: []byte("s")}, "reenroll", token("a"), []byte("body")))
}
