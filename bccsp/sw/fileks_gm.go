// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/safefile"
)

// maxKeyFile bounds the key files that are read, in bytes; upstream has the same limit where it searches.
const maxKeyFile = 1 << 16

// StoreKey writes an SM2 or SM4 key to its file, and in a store with a password ECDSA private keys in the same form, as that of upstream
// derives the key by one round of MD5. It writes other keys as upstream does.
//
//fork:wrap gm: store SM2 and SM4 keys, and encrypt ECDSA keys as those
func (ks *fileBasedKeyStore) StoreKey(k bccsp.Key) error {
	standard, ok := k.(*ecdsaPrivateKey)
	encrypts := ok && len(ks.pwd) != 0
	if !gm.IsKey(k) && !encrypts {
		if err := ks.upstreamStoreKey(k); err != nil {
			return err
		}
		return ks.settle(k.SKI())
	}
	if ks.readOnly {
		return errors.New("read only KeyStore")
	}
	var suffix string
	var text []byte
	var err error
	if encrypts {
		suffix = gm.SuffixPrivate
		text, err = gmx509.MarshalPrivateKeyPEM(standard.privKey, ks.pwd)
	} else {
		suffix, text, err = gm.EncodeKey(k, ks.pwd)
	}
	if err != nil {
		return fmt.Errorf("failed storing key [%x]: %w", k.SKI(), err)
	}
	file := safefile.File{Name: ks.getPathForAlias(hex.EncodeToString(k.SKI()), suffix), Data: text, Mode: 0o600}
	if err := safefile.Replace(file); err != nil {
		return fmt.Errorf("failed storing key [%x]: %w", k.SKI(), err)
	}
	return nil
}

// GetKey returns the key with this SKI, of any family. A file that is named after the SKI and holds an SM2 or SM4 key
// which cannot be read, or another than it is named after, is an error, as is a reference to a key that its device does not have.
//
//fork:wrap gm: read SM2 and SM4 keys
func (ks *fileBasedKeyStore) GetKey(ski []byte) (bccsp.Key, error) {
	if len(ski) == 0 {
		return ks.upstreamGetKey(ski)
	}
	alias := hex.EncodeToString(ski)
	for _, suffix := range []string{gm.SuffixPrivate, gm.SuffixPublic, gm.SuffixSymmetric} {
		path := ks.getPathForAlias(alias, suffix)
		k, err := ks.readGM(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, gm.ErrOtherKey):
			return ks.upstreamGetKey(ski)
		case err != nil:
			return nil, fmt.Errorf("failed loading key [%x] from %s: %w", ski, path, err)
		case !bytes.Equal(k.SKI(), ski):
			return nil, fmt.Errorf("failed loading key: %s holds the key [%x], not the one it is named after", path, k.SKI())
		}
		return k, checkDevice(k)
	}
	return ks.upstreamGetKey(ski)
}

// searchKeystoreForSKI looks into every file, whatever its name, for a private key with this SKI. Files that cannot
// be read are ignored, as upstream does, but named if the key is not found: in the log too, because the MSP drops
// the error.
//
//fork:wrap gm: find SM2 keys in files of any name
func (ks *fileBasedKeyStore) searchKeystoreForSKI(ski []byte) (bccsp.Key, error) {
	entries, err := os.ReadDir(ks.path)
	if err != nil {
		return nil, fmt.Errorf("reading key store: %w", err)
	}
	var unreadable error
	endless := false // upstream would read such a file without end, or wait for one that writes to it
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		path := filepath.Join(ks.path, entry.Name())
		k, err := ks.readGM(path)
		switch {
		case errors.Is(err, gm.ErrOtherKey):
		case err != nil:
			endless = endless || errors.Is(err, errNoFile)
			unreadable = errors.Join(unreadable, fmt.Errorf("%s: %w", path, err))
		case k.Private() && !k.Symmetric() && bytes.Equal(k.SKI(), ski):
			return k, checkDevice(k)
		}
	}
	var k bccsp.Key
	if err = fmt.Errorf("key with SKI %x not found in %s", ski, ks.path); !endless {
		k, err = ks.upstreamSearchKeystoreForSKI(ski)
	}
	if err != nil && unreadable != nil {
		err = fmt.Errorf("%w; files that could not be read: %w", err, unreadable)
		logger.Warning(err)
	}
	return k, err
}

// errNoFile says that what has a file's name may have no end, and that a read of it may wait for ever.
var errNoFile = errors.New("it is a pipe, a socket or a device, and not a file: remove it from the key store")

// readGM reads a key file of the national algorithms, or one with an ECDSA private key; gm.ErrOtherKey says that it
// holds something else.
func (ks *fileBasedKeyStore) readGM(path string) (bccsp.Key, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // which waits for nobody who writes to a pipe
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() && !info.IsDir() {
		return nil, errNoFile
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, gm.ErrOtherKey
	}
	return decodeKey(text, ks.pwd)
}

// settle has a key that upstream has written on disk, before its certificate is.
func (ks *fileBasedKeyStore) settle(ski []byte) error {
	for _, suffix := range []string{gm.SuffixPrivate, gm.SuffixPublic, gm.SuffixSymmetric} {
		err := safefile.Sync(ks.getPathForAlias(hex.EncodeToString(ski), suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("failed storing key [%x]: %w", ski, err)
		}
	}
	return nil
}
