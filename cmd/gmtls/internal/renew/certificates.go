// SPDX-License-Identifier: Apache-2.0

package renew

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/mspfolder"
	"github.com/hyperledger/fabric/common/safefile"
)

// Files of a pair, as fabric-ca-client writes them.
var pairFiles = []string{"server-sign.key", "server-enc.key", "server-sign.crt", "server-enc.crt", "gm-ca.crt"}

// certificates that a node has in files.
type certificates struct {
	identity  *x509.Certificate
	sign, enc *x509.Certificate
	tls       *x509.Certificate
}

// read reads those that the plan names.
func (n *node) read() (c certificates, err error) {
	if n.Identity != nil {
		file, err := signcert(n.Identity.MSP)
		if err != nil {
			return c, fmt.Errorf("identity: %w", err)
		}
		if c.identity, err = leaf(file); err != nil {
			return c, fmt.Errorf("identity: %w", err)
		}
	}
	if n.Pair != nil {
		if c.sign, err = leaf(filepath.Join(n.Pair.Dir, "server-sign.crt")); err != nil {
			return c, fmt.Errorf("pair: %w", err)
		}
		if c.enc, err = leaf(filepath.Join(n.Pair.Dir, "server-enc.crt")); err != nil {
			return c, fmt.Errorf("pair: %w", err)
		}
	}
	if n.TLS != nil {
		if c.tls, err = leaf(n.TLS.Cert); err != nil {
			return c, fmt.Errorf("tls: %w", err)
		}
		if x509.IsSM2(c.tls.PublicKey) {
			return c, fmt.Errorf("tls: %s is an SM2 certificate, which belongs to a pair", n.TLS.Cert)
		}
	}
	return c, nil
}

// checkOwners refuses to write as root over files of another user: keys that root writes are root's alone, and the node could not read them.
func (n *node) checkOwners() error {
	if os.Geteuid() != 0 {
		return nil
	}
	var names []string
	if n.Identity != nil {
		file, err := signcert(n.Identity.MSP)
		if err != nil {
			return err
		}
		names = append(names, file)
	}
	for _, p := range n.presented() {
		names = append(names, p.files...)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // save leaves it out, too
		}
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
			return fmt.Errorf("%s belongs to user %d, and root writes keys that this user could not read: run gmtls renew as that user", name, stat.Uid)
		}
	}
	return nil
}

// signcert is the file of an MSP folder's certificate. A folder with more than one is refused: which of them is meant is not said.
func signcert(msp string) (string, error) {
	folder := filepath.Join(msp, "signcerts")
	files, err := mspfolder.Files(folder)
	if err != nil {
		return "", err
	}
	if len(files) != 1 {
		return "", fmt.Errorf("%s holds %d files, and must hold one certificate", folder, len(files))
	}
	return files[0], nil
}

// leaf is the owner's certificate in a file, as nodes find it: a chain may have any order.
func leaf(name string) (*x509.Certificate, error) {
	file, err := material.Read(name)
	if err != nil {
		return nil, err
	}
	chain, err := file.Chain(nil)
	if err != nil {
		return nil, err
	}
	return chain[0].Certificate, nil
}

// expiresBefore reports whether one of the certificates is there and ends before the given time.
func expiresBefore(time time.Time, certs ...*x509.Certificate) bool {
	return slices.ContainsFunc(certs, func(cert *x509.Certificate) bool { return cert != nil && cert.NotAfter.Before(time) })
}

// expiries are the ends of validity, for people.
func (c certificates) expiries() string {
	var parts []string
	for _, part := range []struct {
		name string
		cert *x509.Certificate
	}{{"identity", c.identity}, {"signing", c.sign}, {"encryption", c.enc}, {"TLS", c.tls}} {
		if part.cert != nil {
			parts = append(parts, part.name+" "+part.cert.NotAfter.Format(time.DateOnly))
		}
	}
	return strings.Join(parts, ", ")
}

// sameSubject are the flags by which fabric-ca-client asks for a certificate like the present one: its names, which the client takes
// from its configuration otherwise, and keys of its family.
func sameSubject(cert *x509.Certificate) ([]string, error) {
	var names []string
	s := cert.Subject
	for _, field := range []struct {
		key    string
		values []string
	}{{"C", s.Country}, {"ST", s.Province}, {"L", s.Locality}, {"O", s.Organization}} {
		for _, value := range field.values {
			if strings.ContainsAny(value, ",=\"") {
				return nil, fmt.Errorf("the subject %q has a character that fabric-ca-client cannot pass on: renew it by hand", s)
			}
			names = append(names, field.key+"="+value)
		}
	}
	flags := []string{"--csr.names", strings.Join(names, ",")}
	hosts := append([]string(nil), cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	hosts = append(hosts, cert.EmailAddresses...)
	if len(cert.URIs) > 0 {
		return nil, errors.New("the certificate names URIs, which fabric-ca-client cannot pass on: renew it by hand")
	}
	flags = append(flags, "--csr.hosts", strings.Join(hosts, ","))
	key, ok := cert.PublicKey.(*ecdsa.PublicKey) // of SM2, too
	if !ok {
		return nil, fmt.Errorf("its key is %T, and only SM2 and ECDSA keys are renewed: renew it by hand", cert.PublicKey)
	}
	algorithm := "ecdsa"
	if x509.IsSM2(key) {
		algorithm = "sm2"
	}
	return append(flags, "--csr.keyrequest.algo", algorithm, "--csr.keyrequest.size", strconv.Itoa(key.Params().BitSize)), nil
}

// saved are files as they were before a renewal.
type saved map[string]safefile.File

// save reads files; one that is not there is left out.
func save(files ...string) (saved, error) {
	s := saved{}
	for _, file := range files {
		before, err := like(file, nil)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			before.Data, err = os.ReadFile(file)
		}
		if err != nil {
			return nil, err
		}
		s[file] = before
	}
	return s, nil
}

// saveFolder saves all files of a folder, so that restoreFolder leaves exactly these.
func saveFolder(folder string) (saved, error) {
	files, err := mspfolder.Files(folder)
	if err != nil {
		return nil, err
	}
	return save(files...)
}

func (s saved) restoreFolder(folder string) error {
	files, err := mspfolder.Files(folder)
	for _, file := range files {
		if _, before := s[file]; !before {
			err = errors.Join(err, os.Remove(file))
		}
	}
	return errors.Join(err, s.restore())
}

// restore puts the files back.
func (s saved) restore() error { return safefile.Replace(slices.Collect(maps.Values(s))...) }

// undo puts the old files back after a failure, and returns the failure with how that ended.
func undo(failure error, restore func() error) error {
	if err := restore(); err != nil {
		return fmt.Errorf("%w; the old files could not be put back: %w", failure, err)
	}
	return fmt.Errorf("%w; the old files are back", failure)
}

// like is new content for a file that is there, with its permissions.
func like(file string, data []byte) (safefile.File, error) {
	info, err := os.Stat(file)
	if err != nil {
		return safefile.File{}, err
	}
	return safefile.File{Name: file, Data: data, Mode: info.Mode().Perm()}, nil
}
