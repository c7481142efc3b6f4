// SPDX-License-Identifier: Apache-2.0

package gmshim

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric/pkg/internal/roots"
	"google.golang.org/grpc/credentials"
)

// renewalInterval is how often files are read at most, however many connect.
const renewalInterval = time.Second

// renewalPatience is how long a new connection waits for files, which a dead mount may keep for ever.
const renewalPatience = 2 * time.Second

// protection is what a server shows and trusts.
type protection struct {
	tls  shim.TLSProperties
	tlcp *TLCPProperties
}

// roots are those of clients.
func (p protection) roots() []byte {
	if p.tlcp != nil {
		return p.tlcp.ClientCACerts
	}
	return p.tls.ClientCACerts
}

// credentials makes the credentials, and returns the certificates that the server shows in them.
func (p protection) credentials() (credentials.TransportCredentials, []*x509.Certificate, error) {
	if p.tlcp != nil {
		return tlcpCredentials(p.tlcp)
	}
	return tlsCredentials(&p.tls)
}

// renewal are credentials whose files may be replaced. A new connection gets what they hold; those that are open stay as they are.
type renewal struct {
	credentials.TransportCredentials // the first ones, for all but handshakes

	read func() (protection, error) // the files; nil: there are none
	log  *slog.Logger

	reading sync.Mutex // held while the files are read, which may take long
	failure string     // that was logged last; protected by reading

	held  protection // replaced by who holds reading, as shown is
	shown []*x509.Certificate

	mu      sync.Mutex
	current credentials.TransportCredentials // protected by mu, as checked is
	checked time.Time                        // when reading began last
}

func newRenewal(p protection, read func() (protection, error), log *slog.Logger) (*renewal, error) {
	made, shown, err := p.credentials()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.Default()
	}
	return &renewal{TransportCredentials: made, read: read, log: log, held: p, current: made, shown: shown, checked: time.Now()}, nil
}

// ServerHandshake shows what the files hold now.
func (r *renewal) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return r.latest().ServerHandshake(raw)
}

// latest returns the credentials of the files as they are now, or those in force if reading takes too long.
func (r *renewal) latest() credentials.TransportCredentials {
	if r.due() {
		read := make(chan struct{})
		go func() {
			defer close(read)
			defer r.reading.Unlock()
			r.renew()
		}()
		select {
		case <-read:
		case <-time.After(renewalPatience):
			r.log.Error("gmshim: the files of certificates and keys cannot be read in time, and the old certificates stay in force")
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// due reports whether it is time to read the files. The caller then holds reading.
func (r *renewal) due() bool {
	if r.read == nil || !r.reading.TryLock() { // somebody else reads them
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.checked) < renewalInterval {
		r.reading.Unlock()
		return false
	}
	r.checked = time.Now()
	return true
}

// renew reads the files; the caller holds reading. If they are not good as a whole, as between two writes, what there is stays in force.
func (r *renewal) renew() {
	if r.read == nil {
		return
	}
	changed, err := r.replace()
	switch {
	case err != nil && err.Error() != r.failure:
		r.failure = err.Error()
		r.log.Error("gmshim: the certificates in the files cannot be used, and the old ones stay in force", "error", err)
	case err == nil:
		r.failure = ""
		if changed {
			r.log.Info("gmshim: new certificates are in force for new connections", "serial", r.shown[0].SerialNumber.Text(16), "until", r.shown[0].NotAfter)
			r.warn()
		}
	}
}

func (r *renewal) replace() (changed bool, err error) {
	p, err := r.read()
	if err != nil {
		return false, err
	}
	if reflect.DeepEqual(p, r.held) { // which only the holder of reading replaces
		return false, nil
	}
	if len(r.held.roots()) > 0 && len(p.roots()) == 0 {
		return false, errors.New("there are no roots of clients any more: a server that asks for certificates goes on asking")
	}
	made, shown, err := p.credentials()
	if err != nil {
		return false, err
	}
	r.held, r.shown = p, shown
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = made
	return true, nil
}

// warn tells of certificates that end; the caller holds reading.
func (r *renewal) warn() { roots.WarnOfEnds(r.log, "the chaincode server", r.shown...) }

// watch reads the files at a signal and twice a day, and warns of certificates that end, until ctx ends.
func (r *renewal) watch(ctx context.Context, hangup <-chan os.Signal) {
	ticker := time.NewTicker(roots.EndInterval)
	defer ticker.Stop()
	r.locked(r.warn)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			r.locked(func() {
				r.failure = "" // who asks is told, also for the second time
				r.renew()
			})
		case <-ticker.C:
			r.locked(func() {
				r.renew()
				r.warn()
			})
		}
	}
}

// locked holds reading.
func (r *renewal) locked(do func()) {
	r.reading.Lock()
	defer r.reading.Unlock()
	do()
}
