// SPDX-License-Identifier: Apache-2.0

package renew

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/operations"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

const (
	// commandLimit ends fabric-ca-client, a reload or a restart that hangs.
	commandLimit = 2 * time.Minute
	// takeLimit is how long a node may take to serve a new certificate, or to be healthy after a restart.
	takeLimit = 2 * time.Minute
	interval  = 250 * time.Millisecond
	// outputLimit is how long the output of a program may stay open when the program has ended.
	outputLimit = 2 * time.Second
)

// Command returns gmtls renew.
func Command() *cobra.Command {
	var file string
	var only bool
	c := &cobra.Command{
		Use:   "renew",
		Short: "renew identities, TLCP pairs and TLS certificates that end soon",
		Long: `Reads a plan (docs/ca.md describes renew.yaml), and renews what ends soon, in the order of the plan. fabric-ca-client enrols each
certificate again. The node reloads a new pair or TLS certificate, and /tls must show it; otherwise the old files are put back. A new
identity needs a restart of the node, before which all other nodes of the plan must be healthy. The first failure ends the run.

Exit codes: 0 nothing is due, or all that was due is renewed; 1 wrong usage or unreadable file; 5 a renewal failed, or with --check
something is due.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := loadPlan(file)
			if err != nil {
				return err
			}
			r := &run{plan: p, out: c.OutOrStdout()}
			if only {
				return r.check()
			}
			return r.renewAll(c.Context())
		},
	}
	c.Flags().StringVar(&file, "plan", "renew.yaml", "the plan: nodes, their folders, how they are reloaded and restarted")
	c.Flags().BoolVar(&only, "check", false, "report what is due, and change nothing")
	return c
}

type run struct {
	plan *plan
	out  io.Writer
}

func (r *run) say(n *node, format string, args ...any) {
	fmt.Fprintf(r.out, "%s: %s\n", n.Name, loglimit.Printable(fmt.Sprintf(format, args...)))
}

func (r *run) deadline() time.Time { return time.Now().Add(r.plan.Within) }

// check says what is due.
func (r *run) check() error {
	code := exit.OK
	for _, n := range r.plan.Nodes {
		present, err := n.read()
		if err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
		due := expiresBefore(r.deadline(), present.identity, present.sign, present.enc, present.tls)
		r.say(n, "ends: %s%s", present.expiries(), map[bool]string{true: "; due"}[due])
		for _, m := range n.marks() {
			if m.isSet() {
				due = true
				r.say(n, "a run did not end what it began: %s is there; due", m)
			}
		}
		if due {
			code = exit.Findings
		}
	}
	return exit.Silently(code)
}

// renewAll renews what is due. What listeners present comes first, as it needs no restart.
func (r *run) renewAll(ctx context.Context) error {
	present := map[*node]certificates{}
	for _, n := range r.plan.Nodes {
		var err error
		if present[n], err = n.read(); err == nil {
			err = n.checkOwners()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	for _, n := range r.plan.Nodes {
		for _, p := range n.presented() {
			if !p.mark.isSet() && !expiresBefore(r.deadline(), p.certificates(present[n])...) {
				continue
			}
			if err := r.renew(ctx, n, p, present[n]); err != nil {
				return &exit.Error{Code: exit.Findings, Err: fmt.Errorf("%s of %s: %w", p.name, n.Name, err)}
			}
		}
	}
	for _, n := range r.plan.Nodes {
		if n.Identity != nil && (n.Identity.mark().isSet() || expiresBefore(r.deadline(), present[n].identity)) {
			if err := r.identity(ctx, n, present[n]); err != nil {
				return &exit.Error{Code: exit.Findings, Err: fmt.Errorf("identity of %s: %w", n.Name, err)}
			}
		}
	}
	return nil
}

// serving counts the roles that have a certificate, and reports whether one is an orderer's.
func serving(roles []tlsstatus.Role, use, serial string) (count int, orderer bool) {
	for _, role := range roles {
		orderer = orderer || role.IsOrderer()
		for _, c := range role.Certificates {
			if c.Use == use && c.Serial == serial {
				count++
			}
		}
	}
	return count, orderer
}

// roleCount counts the roles that have a certificate for a use.
func roleCount(roles []tlsstatus.Role, use string) (count int) {
	for _, role := range roles {
		if role.Has(use) {
			count++
		}
	}
	return count
}

// identity renews an identity and restarts the node. One that an earlier run has renewed waits for the restart only.
func (r *run) identity(ctx context.Context, n *node, before certificates) error {
	for _, other := range r.plan.Nodes {
		if err := healthy(ctx, other); err != nil {
			return fmt.Errorf("%s is not healthy, and no other node is restarted before it is: %w", other.Name, err)
		}
	}
	m, now := n.Identity.mark(), before
	if !m.isSet() || expiresBefore(r.deadline(), before.identity) {
		var err error
		if now, err = r.enrollIdentity(ctx, n, before, m); err != nil {
			return err
		}
	}
	if err := command(ctx, n.Restart[0], n.Restart[1:]...); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	if err := await(ctx, func(ctx context.Context) error { return checkInUse(ctx, n, now.identity) }); err != nil {
		return fmt.Errorf("after its restart: %w", err)
	}
	if err := m.remove(); err != nil {
		return err
	}
	r.say(n, "renewed the identity, restarted: %s", now.expiries())
	return nil
}

// enrollIdentity enrolls an identity again. If it fails, the old one is there, or the mark is.
func (r *run) enrollIdentity(ctx context.Context, n *node, before certificates, m mark) (now certificates, err error) {
	file, err := signcert(n.Identity.MSP)
	if err != nil {
		return now, err
	}
	folder := filepath.Dir(file)
	backup, err := saveFolder(folder)
	if err != nil {
		return now, err
	}
	unmark := m.remove
	if m.isSet() { // then the old files are no better than they were
		unmark = func() error { return nil }
	}
	if err := m.set(); err != nil {
		return now, err
	}
	restore := func() error {
		if err := backup.restoreFolder(folder); err != nil {
			return err
		}
		return unmark()
	}
	if err := r.reenroll(ctx, n.Identity.Home, before.identity, n.Identity.Flags); err != nil {
		return now, undo(err, restore)
	}
	now, err = n.read()
	switch {
	case err != nil: // a second file in signcerts, above all
	case serial(now.identity) == serial(before.identity):
		err = fmt.Errorf("%s is the certificate that was there: does identity.msp belong to identity.home?", file)
	default:
		err = sameNames(before.identity, now.identity)
	}
	if err != nil {
		return now, undo(fmt.Errorf("the node was not restarted: %w", err), restore)
	}
	return now, nil
}

// reenroll has fabric-ca-client enroll a certificate like the present one.
func (r *run) reenroll(ctx context.Context, home string, like *x509.Certificate, more []string) error {
	subject, err := sameSubject(like)
	if err != nil {
		return err
	}
	args := append([]string{"reenroll", "-H", home}, subject...)
	return command(ctx, r.plan.Client, append(args, more...)...)
}

// sameNames refuses a certificate that does not replace the one before: nodes, peers and policies know it by these.
func sameNames(before, now *x509.Certificate) error {
	switch {
	case string(before.RawSubject) != string(now.RawSubject):
		return fmt.Errorf("the subject was %s and is %s", before.Subject, now.Subject)
	case strings.Join(before.DNSNames, " ") != strings.Join(now.DNSNames, " "),
		fmt.Sprint(before.IPAddresses) != fmt.Sprint(now.IPAddresses):
		return fmt.Errorf("it was for %v %v and is for %v %v", before.DNSNames, before.IPAddresses, now.DNSNames, now.IPAddresses)
	case now.NotAfter.Before(before.NotAfter): // the CA itself ends soon
		return fmt.Errorf("it ends at %s, before the one that it is to replace", now.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// healthy asks the node's /healthz.
func healthy(ctx context.Context, n *node) error {
	s, err := operations.NewService(&n.Access, n.Operations)
	if err != nil {
		return err
	}
	defer s.Close()
	return checkHealthy(ctx, s)
}

func checkHealthy(ctx context.Context, s *operations.Service) error {
	health, err := s.Health(ctx)
	if err == nil && health.Unhealthy != "" {
		err = errors.New(health.Unhealthy)
	}
	return err
}

// checkInUse checks by its metrics that a healthy node uses the identity.
func checkInUse(ctx context.Context, n *node, cert *x509.Certificate) error {
	s, err := operations.NewService(&n.Access, n.Operations)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := checkHealthy(ctx, s); err != nil {
		return fmt.Errorf("it is not healthy: %w", err)
	}
	page, err := s.Metrics(ctx)
	if err != nil {
		return err
	}
	end := page.Value("comm_tls_certificate_expiry", `use="identity"`)
	if int64(end) != cert.NotAfter.Unix() {
		return fmt.Errorf("comm_tls_certificate_expiry says that its identity ends at %s, not %s",
			time.Unix(int64(end), 0).UTC().Format(time.RFC3339), cert.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// command runs a program and returns the end of what it said if it fails.
func command(ctx context.Context, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	run := exec.CommandContext(ctx, program, args...)
	// What the program has started may hold its output for as long as it runs, and no end of ctx changes that.
	run.WaitDelay = outputLimit
	out, err := run.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrWaitDelay): // which ends with gmtls at the latest, and what writes to it then as well
		return fmt.Errorf("%s: it left a program running that holds its output: start that by systemctl, or with >/dev/null 2>&1", filepath.Base(program))
	}
	const most = 500
	text := strings.TrimSpace(string(out))
	return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, text[max(0, len(text)-most):])
}

// await asks again until ready returns nil.
func await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, takeLimit)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(interval):
		}
	}
}

func serial(cert *x509.Certificate) string { return fmt.Sprintf("%x", cert.SerialNumber) }
