// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"fmt"

	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/common/crypto/sm4"
)

const (
	randomLen    = 32
	masterLen    = 48
	preMasterLen = 48
	finishedLen  = 12
	sm4KeyLen    = 16
	gcmFixedLen  = 4 // implicit part of the GCM nonce
	gcmNonceLen  = 8 // explicit part, in the record
	labelMaster  = "master secret"
	labelKeys    = "key expansion"
	labelClient  = "client finished"
	labelServer  = "server finished"
	maxKeyBlock  = 2 * (sm3.Size + sm4KeyLen + sm4.BlockSize)
	gcmKeyBlock  = 2 * (sm4KeyLen + gcmFixedLen)
)

// keySchedule derives everything that a connection needs from its master secret
// (GB/T 38636-2020, 6.5). hmac is keyed with the master secret once there is one.
type keySchedule struct {
	master [masterLen]byte
	hmac   hmacSM3
}

// setPreMaster derives the master secret and wipes preMaster.
func (k *keySchedule) setPreMaster(preMaster, clientRandom, serverRandom []byte) {
	k.hmac.init(preMaster)
	prf(&k.hmac, k.master[:], labelMaster, clientRandom, serverRandom)
	clear(preMaster)
	k.hmac.init(k.master[:])
}

// setMaster takes the master secret of a session.
func (k *keySchedule) setMaster(master *[masterLen]byte) {
	k.master = *master
	k.hmac.init(k.master[:])
}

// finished returns the verify_data for the transcript hash.
func (k *keySchedule) finished(label string, transcript []byte) [finishedLen]byte {
	var out [finishedLen]byte
	prf(&k.hmac, out[:], label, transcript, nil)
	return out
}

// protection derives the record protection of both directions.
func (k *keySchedule) protection(s *suite, clientRandom, serverRandom []byte) (client, server recordCipher, err error) {
	var block [maxKeyBlock]byte
	defer clear(block[:])
	rest := block[:]
	if s.gcm {
		rest = block[:gcmKeyBlock]
	}
	prf(&k.hmac, rest, labelKeys, serverRandom, clientRandom)
	take := func(n int) []byte {
		b := rest[:n]
		rest = rest[n:]
		return b
	}
	if s.gcm {
		clientKey, serverKey := take(sm4KeyLen), take(sm4KeyLen)
		if client, err = newGCMCipher(clientKey, take(gcmFixedLen)); err != nil {
			return nil, nil, err
		}
		server, err = newGCMCipher(serverKey, take(gcmFixedLen))
		return client, server, err
	}
	clientMAC, serverMAC := take(sm3.Size), take(sm3.Size)
	clientKey, serverKey := take(sm4KeyLen), take(sm4KeyLen)
	// The rest would be IVs; each record carries its own.
	if client, err = newCBCCipher(clientKey, clientMAC); err != nil {
		return nil, nil, err
	}
	server, err = newCBCCipher(serverKey, serverMAC)
	return client, server, err
}

func (k *keySchedule) wipe() {
	clear(k.master[:])
	k.hmac.wipe()
}

func newCBCCipher(key, macKey []byte) (*cbcCipher, error) {
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("SM4 key: %w", err)
	}
	c := &cbcCipher{block: block}
	c.mac.init(macKey)
	return c, nil
}
