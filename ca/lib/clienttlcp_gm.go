// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"

	"github.com/cloudflare/cfssl/csr"
	"github.com/emmansun/gmsm/sm2"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/api"
	"github.com/hyperledger/fabric-ca/util"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/safefile"
)

// Names of the files of a pair, which are those of cryptogen.
const (
	pairSignCert = "server-sign.crt"
	pairSignKey  = "server-sign.key"
	pairEncCert  = "server-enc.crt"
	pairEncKey   = "server-enc.key"
	pairRoots    = "gm-ca.crt"
)

// TLCPClientConfig says what the client does with TLCP pairs.
type TLCPClientConfig struct {
	Dir           string `def:"tls" help:"Folder for the files of a TLCP pair, which profile tlcp returns"`
	EncryptionKey string `def:"client" help:"Who makes the encryption key of a TLCP pair: 'client', or 'ca' where the CA is configured so"`
}

// ClientConfig is the client's configuration.
//
//fork:fields gm: where the files of a TLCP pair go
type ClientConfig struct {
	TLCP TLCPClientConfig
}

// pair is a TLCP pair that is being enrolled.
type pair struct {
	sign, enc         *sm2.PrivateKey // enc is nil until the CA has delivered it
	signCert, encCert *x509.Certificate
	chain             []*x509.Certificate
}

// Enroll enrolls an identity.
//
//fork:wrap gm: profile tlcp enrolls a TLCP pair and writes its files; the response has no identity then
func (c *Client) Enroll(req *api.EnrollmentRequest) (*EnrollmentResponse, error) {
	if req.Profile != api.ProfileTLCP {
		return c.upstreamEnroll(req)
	}
	if err := c.Init(); err != nil {
		return nil, err
	}
	net := &api.EnrollmentRequestNet{CAName: req.CAName, AttrReqs: req.AttrReqs}
	net.Label = req.Label
	err := c.requestPair(req.CSR, req.Name, net, func(result *api.EnrollmentResponseNet) error {
		body, err := util.Marshal(net, "SignRequest")
		if err != nil {
			return err
		}
		post, err := c.newPost("enroll", body)
		if err != nil {
			return err
		}
		post.SetBasicAuth(req.Name, req.Secret)
		return c.SendReq(post, result)
	})
	if err != nil {
		return nil, err
	}
	return &EnrollmentResponse{}, nil
}

// LoadPairHolder loads the identity that asks for a new pair: the one in the MSP folder or, where none was enrolled there, the
// holder of the present pair, by its signing certificate.
func (c *Client) LoadPairHolder() (*Identity, error) {
	if err := c.Init(); err != nil {
		return nil, err
	}
	if util.FileExists(c.certFile) {
		return c.LoadMyIdentity()
	}
	dir := c.pairDir()
	certFile, keyFile := filepath.Join(dir, pairSignCert), filepath.Join(dir, pairSignKey)
	var id *Identity
	err := checkHolder(certFile, keyFile)
	if err == nil {
		id, err = c.LoadIdentity(keyFile, certFile, c.idemixCredFile)
	}
	return id, errors.WithMessagef(err, "neither %s nor the pair in %s says who renews; enroll first", c.certFile, dir)
}

// checkHolder says what cannot be read, and that the files are of two pairs, as after an enrolment that was killed between them. The CA says
// only that the token is wrong. A key that is not in the file can be in the keystore.
func checkHolder(certFile, keyFile string) error {
	certs, err := material.Read(certFile)
	if err != nil {
		return err
	}
	stored, err := material.Read(keyFile)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	key, err := stored.PrivateKey(nil)
	if err != nil {
		return err
	}
	_, err = certs.Chain(key)
	return errors.WithMessagef(err, "the key in %s is of another pair", keyFile)
}

// ReenrollTLCP enrolls a new TLCP pair by a token of the identity, and replaces the files.
func (i *Identity) ReenrollTLCP(req *api.ReenrollmentRequest) error {
	net := &api.EnrollmentRequestNet{CAName: req.CAName, AttrReqs: req.AttrReqs}
	net.Label = req.Label
	return i.client.requestPair(req.CSR, i.GetName(), net, func(result *api.EnrollmentResponseNet) error {
		body, err := util.Marshal(net, "SignRequest")
		if err != nil {
			return err
		}
		return i.Post("reenroll", body, result, nil)
	})
}

// checkX509Enrollment reports whether somebody is enrolled.
//
//fork:wrap gm: with profile tlcp and no enrolled identity, the pair that is to be renewed authenticates the client
func (c *Client) checkX509Enrollment() error {
	err := c.upstreamCheckX509Enrollment()
	if err != nil && c.Config.Enrollment.Profile == api.ProfileTLCP && util.FileExists(filepath.Join(c.pairDir(), pairSignCert)) {
		return nil
	}
	return err
}

// requestPair makes the keys, completes net, has it sent, and writes what was issued.
func (c *Client) requestPair(info *api.CSRInfo, id string, net *api.EnrollmentRequestNet, send func(*api.EnrollmentResponseNet) error) error {
	p := &pair{}
	var err error
	if p.sign, net.Request, err = c.newPairRequest(info, id, pairSignKey); err != nil {
		return err
	}
	switch c.Config.TLCP.EncryptionKey {
	case "", encryptionKeyByClient:
		if p.enc, net.EncryptionRequest, err = c.newPairRequest(info, id, pairEncKey); err != nil {
			return err
		}
	case encryptionKeyByCA:
	default:
		return errors.Errorf("tlcp.encryptionkey is %q; it must be %q or %q", c.Config.TLCP.EncryptionKey, encryptionKeyByClient, encryptionKeyByCA)
	}
	net.Profile = api.ProfileTLCP
	if info != nil {
		net.Hosts = info.Hosts
	}
	var result api.EnrollmentResponseNet
	if err := send(&result); err != nil {
		return err
	}
	if err := p.accept(&result); err != nil {
		return errors.WithMessage(err, "the CA's answer is not a TLCP pair of this request")
	}
	return p.write(c.pairDir())
}

// newPairRequest makes a certificate request of a new key or, with csr.keyrequest.reusekey, of the key in the named file of the
// present pair.
func (c *Client) newPairRequest(info *api.CSRInfo, id, file string) (*sm2.PrivateKey, string, error) {
	var key *sm2.PrivateKey
	var err error
	if info != nil && info.KeyRequest != nil && info.KeyRequest.ReuseKey {
		key, err = readPairKey(filepath.Join(c.pairDir(), file))
	} else {
		key, err = sm2.GenerateKey(rand.Reader)
	}
	if err != nil {
		return nil, "", errors.WithMessage(err, "SM2 key of the pair")
	}
	request, err := csr.Generate(key, c.newCertificateRequest(info, id))
	return key, string(request), err
}

func readPairKey(name string) (*sm2.PrivateKey, error) {
	file, err := material.Read(name)
	if err != nil {
		return nil, err
	}
	parsed, err := file.PrivateKey(nil)
	if err != nil {
		return nil, err
	}
	key, ok := x509.AsSM2(parsed)
	if !ok {
		return nil, errors.Errorf("%s holds no SM2 key", name)
	}
	return key, nil
}

func (c *Client) pairDir() string {
	if filepath.IsAbs(c.Config.TLCP.Dir) {
		return c.Config.TLCP.Dir
	}
	return filepath.Join(c.HomeDir, c.Config.TLCP.Dir)
}

// accept checks that the CA has certified the keys of p and nothing else.
func (p *pair) accept(result *api.EnrollmentResponseNet) (err error) {
	if result.EncryptionCert == "" {
		return errors.New("it has no encryption certificate: the CA knows no TLCP pairs")
	}
	if p.signCert, err = certificateIn(result.Cert); err != nil {
		return errors.WithMessage(err, "signing certificate")
	}
	if p.encCert, err = certificateIn(result.EncryptionCert); err != nil {
		return errors.WithMessage(err, "encryption certificate")
	}
	if p.enc == nil {
		envelope, err := util.B64Decode(result.EncryptedKey)
		if err != nil {
			return errors.WithMessage(err, "enveloped encryption key")
		}
		if p.enc, err = sm2.ParseEnvelopedPrivateKey(p.sign, envelope); err != nil {
			return errors.WithMessage(err, "enveloped encryption key")
		}
	}
	if err := x509.CheckKeyPair(p.signCert, p.sign); err != nil {
		return errors.WithMessage(err, "signing certificate")
	}
	if err := x509.CheckKeyPair(p.encCert, p.enc); err != nil {
		return errors.WithMessage(err, "encryption certificate")
	}
	if err := checkPair(p.signCert, p.encCert); err != nil {
		return err
	}
	chain, err := util.B64Decode(result.ServerInfo.CAChain)
	if err != nil {
		return errors.WithMessage(err, "chain of the CA")
	}
	if p.chain, err = util.GetX509CertificatesFromPEM(chain); err != nil {
		return errors.WithMessage(err, "chain of the CA")
	}
	if len(p.chain) == 0 {
		return errors.New("chain of the CA: it has no certificate")
	}
	return nil
}

func certificateIn(b64 string) (*x509.Certificate, error) {
	text, err := util.B64Decode(b64)
	if err != nil {
		return nil, err
	}
	return util.GetX509CertificateFromPEM(text)
}

// write replaces the files of the pair: intermediates follow the certificates, roots are in a separate file. All are on disk before one is
// replaced, so that a full disk does not leave a mixture. A node that reloads in between refuses the mixture and keeps what it has.
func (p *pair) write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var intermediates, roots []byte
	for _, cert := range p.chain {
		if bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			roots = append(roots, certificatePEM(cert)...)
		} else {
			intermediates = append(intermediates, certificatePEM(cert)...)
		}
	}
	signKey, err := x509.MarshalPrivateKeyPEM(p.sign, nil)
	if err != nil {
		return err
	}
	encKey, err := x509.MarshalPrivateKeyPEM(p.enc, nil)
	if err != nil {
		return err
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	return safefile.Replace(
		safefile.File{Name: at(pairSignKey), Data: signKey, Mode: 0o600},
		safefile.File{Name: at(pairEncKey), Data: encKey, Mode: 0o600},
		safefile.File{Name: at(pairSignCert), Data: append(certificatePEM(p.signCert), intermediates...), Mode: 0o644},
		safefile.File{Name: at(pairEncCert), Data: append(certificatePEM(p.encCert), intermediates...), Mode: 0o644},
		safefile.File{Name: at(pairRoots), Data: roots, Mode: 0o644},
	)
}

func certificatePEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}
