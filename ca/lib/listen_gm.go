// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/log"
	"github.com/cloudflare/cfssl/signer"
	"github.com/emmansun/gmsm/sm2"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/api"
	"github.com/hyperledger/fabric-ca/lib/server/operations"
	stls "github.com/hyperledger/fabric-ca/lib/tls"
	"github.com/hyperledger/fabric-ca/util"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/safefile"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/pkg/comm/tlsadmin"
)

// reloadOnce lets SIGHUP reload the certificates of the process.
var reloadOnce sync.Once

// listenAndServe listens and serves.
//
//fork:wrap gm: the listener speaks TLS, TLCP or both, as those of nodes; a wrong mode stops the server
func (s *Server) listenAndServe() error {
	c := &s.Config.TLS
	mode, err := comm.ParseServerMode(c.Mode)
	if err != nil {
		return errors.WithMessage(err, "tls.mode")
	}
	if err := comm.CheckGMProtocols(c.GMProtocols, ""); err != nil {
		return errors.WithMessage(err, "tls.gmprotocols")
	}
	if !c.Enabled {
		if mode != comm.ModeTLS {
			return errors.Errorf("tls.mode is %q, but tls.enabled is false: the server would listen without protection", c.Mode)
		}
		return s.upstreamListenAndServe()
	}
	if s.Config.Address == "" {
		s.Config.Address = DefaultServerAddr
	}
	if s.Config.Port == 0 {
		s.Config.Port = DefaultServerPort
	}
	address := net.JoinHostPort(s.Config.Address, strconv.Itoa(s.Config.Port))
	listener, err := s.listenSecure(address, mode)
	if err != nil {
		return errors.WithMessagef(err, "listening on %s", address)
	}
	s.listener = listener
	reloadOnce.Do(func() { tlsadmin.ReloadOnHangup() })
	log.Infof("Listening on https://%s (mode %s)", address, mode)
	if err := s.checkAndEnableProfiling(); err != nil {
		s.closeListener()
		return errors.WithMessage(err, "listening for profiling")
	}
	if s.BlockingStart {
		return s.serve()
	}
	s.wait = make(chan bool)
	go s.serve()
	return nil
}

// listenSecure opens the port with the protocols of the mode.
func (s *Server) listenSecure(address string, mode comm.ServerMode) (net.Listener, error) {
	c := &s.Config.TLS
	listen, required, err := clientAuthentication(&c.ClientAuth)
	if err != nil {
		return nil, err
	}
	var files comm.Files
	if listen.verifies {
		files.ClientRootCAs = c.ClientAuth.CertFiles
	}
	if mode.TLS() {
		if err := s.tlsFiles(&files, mode); err != nil {
			return nil, err
		}
	}
	if mode.GM() {
		if err := s.makePair(); err != nil {
			return nil, errors.WithMessage(err, "making a TLCP pair for the listener")
		}
		files.SignCert, files.SignKey, files.EncCert, files.EncKey = c.GM.SignCert, c.GM.SignKey, c.GM.EncCert, c.GM.EncKey
	}
	files = files.Named("tls.certfile", files.Cert, "tls.keyfile", files.Key, "tls.gm.signcert", files.SignCert, "tls.gm.signkey", files.SignKey,
		"tls.gm.enccert", files.EncCert, "tls.gm.enckey", files.EncKey)
	source, err := comm.NewSource(comm.SourceConfig{
		Role: tlsstatus.CAServer, Load: files.Load, ServerMode: mode, ModeKey: "tls.mode", GMProtocols: c.GMProtocols, GMProtocolsKey: "tls.gmprotocols",
	})
	if err != nil {
		return nil, err
	}
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	listener, err := listen.with(inner, comm.SecureOptions{UseTLS: true, RequireClientCert: required, Source: source})
	if err != nil {
		inner.Close()
		return nil, err
	}
	return listener, nil
}

// clientListener is how a listener treats certificates of clients.
type clientListener struct {
	verifies bool
	with     func(net.Listener, comm.SecureOptions) (net.Listener, error)
}

// clientAuthentication reads tls.clientauth. A certificate that nobody verifies is worth nothing: it is not asked for.
func clientAuthentication(c *stls.ClientAuth) (l clientListener, required bool, err error) {
	switch strings.ToLower(c.Type) {
	case "", "noclientcert", "requestclientcert":
		return clientListener{with: comm.NewAnonymousHTTPListener}, false, nil
	case "verifyclientcertifgiven":
	case "requireandverifyclientcert":
		required = true
	case "requireanyclientcert":
		return l, false, errors.New("tls.clientauth.type is requireanyclientcert, which takes any certificate: use requireandverifyclientcert")
	default:
		return l, false, errors.Errorf("tls.clientauth.type is %q, which is none", c.Type)
	}
	if len(c.CertFiles) == 0 {
		return l, false, errors.Errorf("tls.clientauth.type is %s, but tls.clientauth.certfiles names no roots of clients", c.Type)
	}
	return clientListener{true, comm.NewHTTPListener}, required, nil
}

// tlsFiles names the files of the TLS certificate, and has the CA make one where upstream would. Its key is then in the key store.
func (s *Server) tlsFiles(files *comm.Files, mode comm.ServerMode) error {
	c := &s.Config.TLS
	if c.KeyFile == "" && !util.FileExists(c.CertFile) {
		if mode == comm.ModeDual {
			return errors.New("mode dual needs a TLS certificate: name tls.certfile and tls.keyfile")
		}
		err := s.CA.canRecord()
		if err == nil {
			err = s.autoGenerateTLSCertificateKey()
		}
		if err != nil {
			return errors.WithMessage(err, "making a TLS certificate for the listener")
		}
	}
	files.Cert, files.Key = c.CertFile, c.KeyFile
	if files.Key != "" {
		return nil
	}
	key, _, _, err := util.GetSignerFromCertFile(c.CertFile, s.csp)
	if err != nil {
		return errors.WithMessagef(err, "the key of %s; name its file in tls.keyfile", c.CertFile)
	}
	opts := s.CA.Config.CSP
	if opts == nil || opts.SW == nil || opts.SW.FileKeystore == nil {
		return errors.New("tls.keyfile is missing, and the provider's keys are in no folder of plain files")
	}
	files.Key = filepath.Join(opts.SW.FileKeystore.KeyStorePath, hex.EncodeToString(key.SKI())+"_sk")
	return nil
}

// madeAgain is the last part of the life of a pair that the CA has made for its listener: at a start in it the CA makes a new one.
const madeAgain = 30 * 24 * time.Hour

// lasting reports whether certificates that the CA has made for its listener are there, and do not end within a time.
func lasting(within time.Duration, files ...string) (bool, error) {
	for _, file := range files {
		if !util.FileExists(file) {
			return false, nil
		}
		cert, err := util.GetX509CertificateFromPEMFile(file)
		if err != nil {
			return false, err
		}
		if time.Until(cert.NotAfter) < within {
			return false, nil
		}
	}
	return true, nil
}

// unfinished is the file that is there while the CA replaces the pair of its listener. After a crash it says that the files may be of two pairs.
// Without it they are those of an operator, who is told what is wrong with them.
const unfinished = "tlcp-pair.unfinished"

// makePair has the server's own CA issue the TLCP pair of the listener, where the configuration names no files.
func (s *Server) makePair() error {
	f := &s.Config.TLS.GM
	if f.Any() {
		return nil
	}
	f.SignCert, f.SignKey, f.EncCert, f.EncKey = "tlcp-sign.crt", "tlcp-sign.key", "tlcp-enc.crt", "tlcp-enc.key"
	if err := stls.AbsTLSServer(&s.Config.TLS, s.HomeDir); err != nil {
		return err
	}
	mark := filepath.Join(s.HomeDir, unfinished)
	broken := util.FileExists(mark)
	if broken {
		log.Warningf("The server ended while it replaced the TLCP pair of its listener (%s is there): it makes a new pair", mark)
	} else if ok, err := lasting(madeAgain, f.SignCert, f.EncCert); ok || err != nil {
		return err
	}
	if err := s.CA.canRecord(); err != nil {
		if ok, _ := lasting(0, f.SignCert, f.EncCert); !ok || broken {
			return err
		}
		log.Warningf("The TLCP pair of the listener ends within %s. It is kept, as the database is away: start the server again when the database answers", madeAgain)
		return nil
	}
	issuer, err := s.CA.asIntermediate()
	if err != nil {
		return err
	}
	sign, err := s.issueHalf(api.ProfileTLCP, issuer, f.SignCert, f.SignKey)
	if err != nil {
		return err
	}
	enc, err := s.issueHalf(profileTLCPEncryption, issuer, f.EncCert, f.EncKey)
	if err != nil {
		return err
	}
	if err := checkMade(sign, enc); err != nil {
		return err
	}
	if err := safefile.Replace(safefile.File{Name: mark, Mode: 0o600}); err != nil {
		return err
	}
	if err := safefile.Replace(append(sign, enc...)...); err != nil {
		return err
	}
	if err := os.Remove(mark); err != nil {
		return err
	}
	log.Infof("Made a TLCP pair for the listener: %s, %s", f.SignCert, f.EncCert)
	return nil
}

// canRecord refuses to issue while there is no database: cfssl would panic.
func (ca *CA) canRecord() error {
	if ca.db == nil || !ca.db.IsInitialized() {
		return errors.New("the database is away: no certificate can be recorded, and so none is issued; start the server when the database answers (its log says what failed)")
	}
	return nil
}

// issueHalf makes a key, has the CA certify it, and returns both as files. The certificate is followed by issuer, PEM.
func (s *Server) issueHalf(profile string, issuer []byte, certFile, keyFile string) ([]safefile.File, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	request := s.Config.CAcfg.CSR
	// The name of the CA's own certificate must not come again, or no authority key identifier is written.
	text, err := csr.Generate(key, &csr.CertificateRequest{CN: util.Hostname(), Names: request.Names, Hosts: request.Hosts, SerialNumber: request.SerialNumber})
	if err != nil {
		return nil, err
	}
	cert, err := s.CA.enrollSigner.Sign(signer.SignRequest{Profile: profile, Request: string(text)})
	if err != nil {
		return nil, err
	}
	keyText, err := x509.MarshalPrivateKeyPEM(key, nil)
	if err != nil {
		return nil, err
	}
	return []safefile.File{{Name: keyFile, Data: keyText, Mode: 0o600}, {Name: certFile, Data: append(cert, issuer...), Mode: 0o644}}, nil
}

// checkMade refuses a pair that peers would refuse, before it is in the files, which the next start would take.
func checkMade(sign, enc []safefile.File) error {
	var certs [2]*x509.Certificate
	for i, half := range [][]safefile.File{sign, enc} {
		var err error
		if certs[i], err = util.GetX509CertificateFromPEM(half[1].Data); err != nil {
			return err
		}
	}
	return errors.WithMessagef(checkPair(certs[0], certs[1]), "signing.profiles: %s and %s make no pair that TLCP peers accept", api.ProfileTLCP, profileTLCPEncryption)
}

// asIntermediate is the CA's certificate, PEM, if it stands between those that it issues and their root.
func (ca *CA) asIntermediate() ([]byte, error) {
	text, err := os.ReadFile(ca.Config.CA.Certfile)
	if err != nil {
		return nil, err
	}
	cert, err := util.GetX509CertificateFromPEM(text)
	if err != nil || bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		return nil, err
	}
	return text, nil
}

// startOperationsServer starts the operations server, before the CA's own listener.
//
//fork:wrap gm: the operations server speaks TLCP, with the listener's pair if it has none
func (s *Server) startOperationsServer() error {
	system, ok := s.Operations.(*operations.System)
	if ok && s.Config.Operations.TLS.LacksPair() {
		if err := s.makePair(); err != nil {
			return errors.WithMessage(err, "making a TLCP pair for the operations server")
		}
		system.UsePair(s.Config.TLS.GM)
	}
	return s.upstreamStartOperationsServer()
}

// initHTTPClient makes the client's connections.
//
//fork:wrap gm: mode gm dials TLCP or TLS 1.3 with GM suites; a wrong mode stops the client
func (c *Client) initHTTPClient() error {
	config := &c.Config.TLS
	mode, err := comm.ParseClientMode(config.Mode)
	if err != nil {
		return errors.WithMessage(err, "tls.mode")
	}
	if err := comm.CheckGMProtocols(nil, config.GMProtocol); err != nil {
		return errors.WithMessage(err, "tls.gmprotocol")
	}
	if mode != comm.ClientGM {
		if config.GMProtocol != "" {
			return errors.Errorf("tls.gmprotocol is %s, but tls.mode is %q: set it to gm, or leave tls.gmprotocol out", config.GMProtocol, config.Mode)
		}
		return c.upstreamInitHTTPClient()
	}
	if !config.Enabled {
		return errors.New("tls.mode is gm, but the server's URL does not begin with https://: requests would go without protection")
	}
	if err := stls.AbsTLSClient(config, c.HomeDir); err != nil {
		return err
	}
	dial, err := config.Dialer()
	if err != nil {
		return err
	}
	c.httpClient = &http.Client{Transport: &http.Transport{DialTLSContext: dial}}
	return nil
}
