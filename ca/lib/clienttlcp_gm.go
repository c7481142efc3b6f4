// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"

	"github.com/cloudflare/cfssl/csr"
	"github.com/emmansun/gmsm/sm2"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/api"
	"github.com/hyperledger/fabric-ca/util"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
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

// EnrollTLCP enrolls a TLCP pair for the identity and writes its files.
func (c *Client) EnrollTLCP(req *api.EnrollmentRequest) error {
	if err := c.Init(); err != nil {
		return err
	}
	net := &api.EnrollmentRequestNet{CAName: req.CAName, AttrReqs: req.AttrReqs}
	net.Label = req.Label
	return c.requestPair(req.CSR, req.Name, net, func(result *api.EnrollmentResponseNet) error {
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

// requestPair makes the keys, completes net, has it sent, and writes what was issued.
func (c *Client) requestPair(info *api.CSRInfo, id string, net *api.EnrollmentRequestNet, send func(*api.EnrollmentResponseNet) error) error {
	p := &pair{}
	var err error
	if p.sign, net.Request, err = c.newPairRequest(info, id); err != nil {
		return err
	}
	switch c.Config.TLCP.EncryptionKey {
	case "", encryptionKeyByClient:
		if p.enc, net.EncryptionRequest, err = c.newPairRequest(info, id); err != nil {
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
		return errors.WithMessage(err, "the CA's answer is no TLCP pair of this request")
	}
	return p.write(c.pairDir())
}

func (c *Client) newPairRequest(info *api.CSRInfo, id string) (*sm2.PrivateKey, string, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", errors.WithMessage(err, "making an SM2 key")
	}
	request, err := csr.Generate(key, c.newCertificateRequest(info, id))
	return key, string(request), err
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
	p.chain, err = util.GetX509CertificatesFromPEM(chain)
	return errors.WithMessage(err, "chain of the CA")
}

func certificateIn(b64 string) (*x509.Certificate, error) {
	text, err := util.B64Decode(b64)
	if err != nil {
		return nil, err
	}
	return util.GetX509CertificateFromPEM(text)
}

// write replaces the files of the pair: intermediates stand behind the certificates, roots in a file of their own. Each file is
// replaced as a whole; a node that reloads in between refuses the mixture and keeps what it has.
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
	for _, f := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{
		{pairSignKey, signKey, 0o600},
		{pairEncKey, encKey, 0o600},
		{pairSignCert, append(certificatePEM(p.signCert), intermediates...), 0o644},
		{pairEncCert, append(certificatePEM(p.encCert), intermediates...), 0o644},
		{pairRoots, roots, 0o644},
	} {
		if err := replaceFile(filepath.Join(dir, f.name), f.data, f.mode); err != nil {
			return err
		}
	}
	return nil
}

func certificatePEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func replaceFile(name string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// EnrollTLCP enrolls a TLCP pair, with the name and secret in the URL as Enroll has them.
func (c *ClientConfig) EnrollTLCP(rawURL, home string) error {
	server, err := url.Parse(rawURL)
	if err != nil {
		return err
	}
	if server.User != nil {
		c.Enrollment.Name = server.User.Username()
		c.Enrollment.Secret, _ = server.User.Password()
		server.User = nil
	}
	if c.Enrollment.Name == "" {
		return errors.Errorf("the URL of the CA needs the enrollment ID and its secret: %s://ID:SECRET@%s", server.Scheme, server.Host)
	}
	c.URL = server.String()
	c.TLS.Enabled = server.Scheme == "https"
	c.Enrollment.CAName, c.Enrollment.CSR = c.CAName, &c.CSR
	return (&Client{HomeDir: home, Config: c}).EnrollTLCP(&c.Enrollment)
}
