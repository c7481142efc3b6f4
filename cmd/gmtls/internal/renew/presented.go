// SPDX-License-Identifier: Apache-2.0

package renew

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/operations"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/mspfolder"
	"github.com/hyperledger/fabric/common/safefile"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// presented is what the listeners of a node present, a TLCP pair or a certificate of TLS, and how it is renewed.
type presented struct {
	name         string
	section      string                                 // of the plan
	uses         []string                               // as /tls has them
	certificates func(certificates) []*x509.Certificate // in the order of uses
	home         string
	args         []string // of fabric-ca-client, behind those of the subject
	keepKeys     bool
	files        []string     // that the node reads
	folders      []string     // that fabric-ca-client adds files to, if they are others
	install      func() error // puts what was enrolled into the node's files; nil: it is there
	mark         mark
}

// presented returns what the plan names of it.
func (n *node) presented() (all []presented) {
	if p := n.Pair; p != nil {
		one := presented{
			name: "pair", section: "pair", uses: []string{tlsstatus.UseGMSigning, tlsstatus.UseGMEncryption},
			certificates: func(c certificates) []*x509.Certificate { return []*x509.Certificate{c.sign, c.enc} },
			home:         p.Home, args: append([]string{"--enrollment.profile", "tlcp", "--tlcp.dir", p.Dir}, p.Flags...), keepKeys: p.KeepKeys,
			mark: markOf(p.Dir, "pair"),
		}
		for _, name := range pairFiles {
			one.files = append(one.files, filepath.Join(p.Dir, name))
		}
		all = append(all, one)
	}
	if c := n.TLS; c != nil {
		all = append(all, presented{
			name: "certificate of TLS", section: "tls", uses: []string{tlsstatus.UseTLS},
			certificates: func(c certificates) []*x509.Certificate { return []*x509.Certificate{c.tls} },
			home:         c.Home, args: append([]string{"--enrollment.profile", "tls", "--mspdir", c.MSP}, c.Flags...), keepKeys: c.KeepKeys,
			files: []string{c.Cert, c.Key}, folders: []string{filepath.Join(c.MSP, "signcerts"), filepath.Join(c.MSP, "keystore")}, install: c.install,
			mark: markOf(c.MSP, "tls"),
		})
	}
	return all
}

// renew enrols p again and makes the node load it.
func (r *run) renew(ctx context.Context, n *node, p presented, before certificates) error {
	s, err := operations.NewService(&n.Access, n.Operations)
	if err != nil {
		return err
	}
	defer s.Close()
	roles, err := s.Roles(ctx)
	if err != nil {
		return fmt.Errorf("which certificates it serves: %w", err)
	}
	first := p.certificates(before)[0]
	old, orderer := serving(roles, p.uses[0], serial(first))
	unfinished := p.mark.isSet()
	if unfinished { // what the node serves need not be in the files
		old = roleCount(roles, p.uses[0])
	}
	if old == 0 {
		return fmt.Errorf("it serves another certificate than that in %s: restart or reload it first, or mend %s in the plan",
			filepath.Dir(p.files[0]), p.section)
	}
	if orderer && !p.keepKeys {
		return fmt.Errorf("it is an orderer, which other consenters know by its key: set %s.keepKeys, or put the new certificate "+
			"into the channel configuration first, by hand", p.section)
	}
	putBack, err := p.save()
	if err != nil {
		return err
	}
	if err := p.mark.set(); err != nil {
		return err
	}
	nothing := func() error { return nil }
	unmark, takeBack := p.mark.remove, nothing
	if unfinished { // then the old files are no better than they were
		unmark = nothing
	}
	args := p.args
	if p.keepKeys {
		args = append([]string{"--csr.keyrequest.reusekey"}, args...)
	}
	if err = r.reenroll(ctx, p.home, first, args); err != nil {
		return giveUp(err, putBack, takeBack, unmark)
	}
	if p.install != nil {
		err = p.install()
	}
	var now certificates
	if err == nil {
		now, err = n.read()
	}
	if err == nil {
		err = sameNames(first, p.certificates(now)[0])
	}
	if err == nil {
		takeBack = func() error { return r.takeBack(ctx, n, s, p, before, old) }
		err = r.take(ctx, n, s, p, now, old)
	}
	if err != nil {
		return giveUp(fmt.Errorf("the node did not take up the new files: %w", err), putBack, takeBack, unmark)
	}
	if err := p.mark.remove(); err != nil {
		return err
	}
	r.say(n, "renewed the %s, serves it: %s", p.name, now.expiries())
	return nil
}

// giveUp puts the old files back after a failure, and says how that ended. The mark stays unless the node is known to serve them.
func giveUp(failure error, putBack, takeBack, unmark func() error) error {
	var unknown error
	err := undo(failure, func() error {
		if err := putBack(); err != nil {
			return err
		}
		if unknown = takeBack(); unknown != nil {
			return nil
		}
		return unmark()
	})
	if unknown != nil {
		return fmt.Errorf("%w, but the node may serve the new ones, so that the next run renews again: %w", err, unknown)
	}
	return err
}

// save keeps the files as they are, and returns what puts them back.
func (p presented) save() (restore func() error, err error) {
	files, err := save(p.files...)
	if err != nil {
		return nil, err
	}
	folders := map[string]saved{}
	for _, folder := range p.folders {
		if folders[folder], err = saveFolder(folder); err != nil {
			return nil, err
		}
	}
	return func() error {
		err := files.restore()
		for folder, before := range folders {
			err = errors.Join(err, before.restoreFolder(folder))
		}
		return err
	}, nil
}

// takeBack has the node load the old files again, which it may have replaced by the new ones without a word, for example if it loads
// them for longer than an answer is waited for. It returns nil if the node serves the old ones for sure.
func (r *run) takeBack(ctx context.Context, n *node, s *operations.Service, p presented, before certificates, want int) error {
	err := r.reload(ctx, n, s)
	if noAnswer := net.Error(nil); errors.As(err, &noAnswer) {
		return err // it may be loading yet
	}
	// A node that refuses to load has what it had.
	roles, err := s.Roles(ctx)
	if err != nil {
		return err
	}
	for i, cert := range p.certificates(before) {
		if has, _ := serving(roles, p.uses[i], serial(cert)); has < want {
			return fmt.Errorf("%d of %d roles have the old certificate (%s)", has, want, p.uses[i])
		}
	}
	return nil
}

// reload makes the node load its files.
func (r *run) reload(ctx context.Context, n *node, s *operations.Service) error {
	if len(n.Reload) > 0 {
		return command(ctx, n.Reload[0], n.Reload[1:]...)
	}
	return s.Reload(ctx)
}

// take reloads the node and waits until every role has the new certificates that had the old ones.
func (r *run) take(ctx context.Context, n *node, s *operations.Service, p presented, now certificates, want int) error {
	if err := r.reload(ctx, n, s); err != nil {
		return err
	}
	return await(ctx, func(ctx context.Context) error {
		roles, err := s.Roles(ctx)
		if err != nil {
			return err
		}
		for i, cert := range p.certificates(now) {
			if has, _ := serving(roles, p.uses[i], serial(cert)); has < want {
				return fmt.Errorf("%d of %d roles have the new certificate (%s); lastChange of /tls says why", has, want, p.uses[i])
			}
		}
		return nil
	})
}

// install puts the certificate that was enrolled, its intermediates and, where it is a new one, its key into the node's files. A node that
// reloads in between refuses the mixture and keeps what it has.
func (c *tlsCertificate) install() error {
	file, err := signcert(c.MSP)
	if err != nil {
		return err
	}
	names, err := mspfolder.Files(filepath.Join(c.MSP, mspfolder.TLSIntermediateCerts))
	if err != nil {
		return err
	}
	var chain []*material.Certificate
	for _, name := range append([]string{file}, names...) {
		certs, err := material.ReadCertificates(name)
		if err != nil {
			return err
		}
		chain = append(chain, certs...)
	}
	cert, err := like(c.Cert, material.EncodeCertificates(chain))
	if err != nil {
		return err
	}
	if c.KeepKeys {
		return safefile.Replace(cert)
	}
	text, err := keyOf(file, filepath.Join(c.MSP, "keystore"))
	if err != nil {
		return err
	}
	key, err := like(c.Key, text)
	if err != nil {
		return err
	}
	return safefile.Replace(key, cert)
}

// keyOf is the certificate's key in PEM, from a folder in which fabric-ca-client leaves old keys where they are. The files are read as
// nodes read theirs, and those that cannot be are named only if the key is in none of the others.
func keyOf(file, folder string) ([]byte, error) {
	cert, err := leaf(file)
	if err != nil {
		return nil, err
	}
	names, err := mspfolder.Files(folder)
	if err != nil {
		return nil, err
	}
	missing := fmt.Errorf("no file in %s holds the key of %s", folder, file)
	for _, name := range names {
		stored, err := material.Read(name)
		if err != nil {
			missing = fmt.Errorf("%w; %w", missing, err)
			continue
		}
		for _, one := range stored.Keys {
			key, err := one.OpenPlain()
			if err != nil {
				missing = fmt.Errorf("%w; %w", missing, err)
				continue
			}
			if x509.CheckKeyPair(cert, key) == nil {
				_, text, err := one.OpenPEM(nil)
				return text, err
			}
		}
	}
	return nil, missing
}
