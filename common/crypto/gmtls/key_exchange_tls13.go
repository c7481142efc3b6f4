// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"fmt"
	"io"
	"slices"

	"github.com/emmansun/gmsm/mlkem"
	"github.com/emmansun/gmsm/tls13"
)

// groupOf returns the key exchange of a group, nil if this package has not got
// it.
func groupOf(id CurveID) tls13.KeyExchange {
	if id != CurveSM2 && id != CurveSM2MLKEM768 {
		return nil // the engine has others, which are not of SM2
	}
	exchange, err := tls13.NewKeyExchange(tls13.CurveID(id))
	if err != nil {
		return nil
	}
	return exchange
}

// checkGroups checks Config.CurvePreferences.
func (c *Config) checkGroups() error {
	groups := c.groups()
	if len(groups) == 0 {
		return fmt.Errorf("gmtls: Config.CurvePreferences is empty")
	}
	for i, id := range groups {
		if groupOf(id) == nil || slices.Contains(groups[:i], id) {
			return fmt.Errorf("gmtls: Config.CurvePreferences has the group %v, which is unknown or there twice", id)
		}
	}
	return nil
}

// checkShare checks the form of a key share, of which the engine looks at less:
// an uncompressed point (RFC 8446, section 4.2.8.2), behind which the hybrid
// group has the encapsulation key or the ciphertext of ML-KEM.
func checkShare(share keyShare, fromServer bool) error {
	want := pointLen
	switch {
	case share.group == CurveSM2:
	case fromServer:
		want += mlkem.CiphertextSize768
	default:
		want += mlkem.EncapsulationKeySize768
	}
	if len(share.data) != want || share.data[0] != 4 {
		return failf(AlertIllegalParameter, "the key share of %v is not of the %d bytes that begin with an uncompressed point", share.group, want)
	}
	return nil
}

// clientKeys are the secret side of a client's key shares.
type clientKeys struct {
	private *tls13.KeySharePrivateKeys
	groups  []CurveID // one, or the hybrid group and its part, which has the same key
}

// newClientKeys makes a key for the first of the groups, and shares for it and
// for what of it is a group in groups by itself.
func newClientKeys(rand io.Reader, first CurveID, groups []CurveID) (*clientKeys, []keyShare, error) {
	private, made, err := groupOf(first).KeyShares(rand)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key for %v: %w", first, err)
	}
	keys := &clientKeys{private: private}
	var shares []keyShare
	for _, share := range made {
		if group := CurveID(share.Group); slices.Contains(groups, group) {
			keys.groups = append(keys.groups, group)
			shares = append(shares, keyShare{group, share.Data})
		}
	}
	return keys, shares, nil
}

// sharedSecret returns the secret for the server's key share.
func (k *clientKeys) sharedSecret(share keyShare) ([]byte, error) {
	if err := checkShare(share, true); err != nil {
		return nil, err
	}
	secret, err := groupOf(share.group).ClientSharedSecret(k.private, share.data)
	if err != nil {
		return nil, failf(AlertIllegalParameter, "key exchange %v: %w", share.group, err)
	}
	return secret, nil
}

// answerShare returns the secret for a client's key share, and the server's own
// share.
func answerShare(rand io.Reader, share keyShare) (secret []byte, own keyShare, err error) {
	if err := checkShare(share, false); err != nil {
		return nil, keyShare{}, err
	}
	secret, answer, err := groupOf(share.group).ServerSharedSecret(rand, share.data)
	if err != nil {
		return nil, keyShare{}, failf(AlertIllegalParameter, "key exchange %v: %w", share.group, err)
	}
	return secret, keyShare{share.group, answer.Data}, nil
}
