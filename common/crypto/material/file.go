// SPDX-License-Identifier: Apache-2.0

package material

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// Bounds on the size of a file in bytes. Certificates and keys are a few kilobytes, lists of large CAs megabytes.
const (
	MaxFile = 1 << 20
	MaxList = 64 << 20 // for files that hold nothing but revocation lists
)

// PEM labels that are read.
const (
	labelCertificate = "CERTIFICATE"
	labelList        = "X509 CRL"
)

// Family is the kind of a key, and of a certificate by its key.
type Family string

// The families.
const (
	SM2      Family = "SM2"
	Standard Family = "standard" // ECDSA, RSA, Ed25519: what crypto/x509 knows
)

// FamilyOf returns the family of a public or private key.
func FamilyOf(key any) Family {
	if device, ok := key.(*keyd.Key); ok {
		key = device.Public()
	}
	if x509.IsSM2(key) {
		return SM2
	}
	return Standard
}

// Certificate is a certificate and where it was read.
type Certificate struct {
	*x509.Certificate
	Origin
}

// Family returns the family of its key.
func (c *Certificate) Family() Family { return FamilyOf(c.PublicKey) }

// PEM returns the certificate in PEM, whatever form the file has.
func (c *Certificate) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: labelCertificate, Bytes: c.Raw})
}

// List is a revocation list and where it was read. It is of the type that the MSP works with.
type List struct {
	*pkix.CertificateList
	Origin
	DER []byte
}

// PEM returns the list in PEM, whatever form the file has.
func (l *List) PEM() []byte { return pem.EncodeToMemory(&pem.Block{Type: labelList, Bytes: l.DER}) }

// Key is a private key, perhaps encrypted, or the reference to one in a device, and where it was read.
type Key struct {
	Origin
	block *pem.Block // one that gmx509.ParsePrivateKeyPEM reads
}

// Encrypted reports whether Open needs a passphrase.
func (k *Key) Encrypted() bool {
	return k.block.Type == "ENCRYPTED PRIVATE KEY" || x509.IsEncryptedPEMBlock(k.block)
}

// Form is the encoding of the key.
func (k *Key) Form() Form {
	switch {
	case x509.IsEncryptedPEMBlock(k.block):
		return FormLegacy
	case k.Encrypted():
		return FormEncrypted
	}
	return FormOf(k.block.Bytes)
}

// NamesSM2 reports whether the label or the curve's name says that the key is SM2. The key need not decode.
func (k *Key) NamesSM2() bool {
	return k.block.Type == "SM2 PRIVATE KEY" || x509.NamesGM(k.block.Bytes)
}

// InDevice reports whether it is a reference to a key in a device.
func (k *Key) InDevice() bool { return k.block.Type == keyd.ReferenceType }

// Open decodes the key: *sm2.PrivateKey, *ecdsa.PrivateKey, *rsa.PrivateKey or ed25519.PrivateKey, or *keyd.Key if it is in a
// device. Open does not ask the device for it. The passphrase is needed if the key is encrypted, and may be nil otherwise. The
// error is an *Error, and wraps gmx509.ErrNoPassword or gmx509.ErrWrongPassword if that is the reason.
func (k *Key) Open(passphrase []byte) (any, error) {
	if k.InDevice() {
		reference, err := keyd.Decode(k.block)
		if err != nil {
			return nil, k.fail(err, "write it again with: gmtls key reference")
		}
		return keyd.NewKey(reference)
	}
	key, err := x509.ParsePrivateKeyPEM(pem.EncodeToMemory(k.block), passphrase)
	if err != nil {
		return nil, k.fail(fmt.Errorf("private key: %w", err), "")
	}
	if _, ok := key.(crypto.Signer); !ok { // crypto/x509 reads X25519 as well
		return nil, k.fail(fmt.Errorf("private key: %T signs nothing", key), "give the key that the certificate was issued for")
	}
	return key, nil
}

// OpenPEM is Open, and returns the key also in PEM: PKCS #8 without encryption, or the reference to a device as it is.
func (k *Key) OpenPEM(passphrase []byte) (key any, text []byte, err error) {
	if key, err = k.Open(passphrase); err != nil {
		return nil, nil, err
	}
	if k.InDevice() {
		return key, pem.EncodeToMemory(k.block), nil
	}
	if text, err = x509.MarshalPrivateKeyPEM(key, nil); err != nil {
		return nil, nil, k.fail(err, "")
	}
	return key, text, nil
}

// File is what one file holds, each kind in the order of the file.
type File struct {
	Name         string // or that of the field that held the text
	Raw          []byte // as it was read
	Certificates []*Certificate
	Lists        []*List
	Keys         []*Key
}

// Read reads and parses a file.
func Read(name string) (*File, error) {
	data, err := ReadBounded(name, MaxList)
	if err != nil {
		return nil, err
	}
	return Parse(name, data)
}

// Parse parses the content of a file or of a field. Errors have its name.
func Parse(name string, data []byte) (*File, error) {
	if len(data) > MaxList {
		return nil, tooLarge(name, MaxList)
	}
	objects, err := Split(name, data)
	if err != nil {
		return nil, err
	}
	file := &File{Name: name, Raw: data}
	for _, object := range objects {
		if err := file.add(object); err != nil {
			return nil, err
		}
	}
	if len(data) > MaxFile && len(file.Certificates)+len(file.Keys) > 0 {
		return nil, tooLarge(name, MaxFile)
	}
	if len(file.Certificates)+len(file.Lists)+len(file.Keys) == 0 {
		return nil, &Error{File: name, Err: errors.New("it holds nothing but curve parameters"), Remedy: "give the file of the key"}
	}
	return file, nil
}

// Parse parses the object alone.
func (o Object) Parse() (*File, error) {
	file := &File{Name: o.File}
	return file, file.add(o)
}

// add parses one object by its label, or without one by its form.
func (f *File) add(o Object) error {
	label := o.Label
	if label == "" {
		if label = labels[FormOf(o.DER)]; label == "" {
			return o.refuse(FormOf(o.DER))
		}
	}
	switch label {
	case labelCertificate:
		cert, err := x509.ParseCertificate(o.DER)
		if err != nil {
			return o.unreadable("certificate", FormCertificate, err)
		}
		f.Certificates = append(f.Certificates, &Certificate{cert, o.Origin})
	case labelList:
		list, err := x509.ParseCRL(o.DER)
		if err != nil {
			return o.unreadable("revocation list", FormList, err)
		}
		f.Lists = append(f.Lists, &List{list, o.Origin, o.DER})
	case "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "SM2 PRIVATE KEY", "RSA PRIVATE KEY", keyd.ReferenceType:
		f.Keys = append(f.Keys, &Key{o.Origin, &pem.Block{Type: label, Headers: o.Headers, Bytes: o.DER}})
	case "EC PARAMETERS", "SM2 PARAMETERS":
	default:
		return o.refuseLabel()
	}
	return nil
}

// labels are those that forms have in PEM.
var labels = map[Form]string{
	FormCertificate: labelCertificate,
	FormList:        labelList,
	FormPKCS8:       "PRIVATE KEY",
	FormEncrypted:   "ENCRYPTED PRIVATE KEY",
	FormSEC1:        "EC PRIVATE KEY",
	FormPKCS1:       "RSA PRIVATE KEY",
}

// remedies say how to make something of a form that is not read.
var remedies = map[Form]string{
	FormRequest:      "send it to the CA, and give the certificate that comes back",
	FormPublicKey:    "give the certificate or the private key",
	FormPKCS7:        "take the certificates out with: openssl pkcs7 -print_certs -in FILE -out FILE.pem (with -inform DER where it is DER)",
	FormGMSigned:     "take the certificates out with: gmtls key FILE --out-cert FILE.pem (openssl reads none of it, and reports no error)",
	FormSealed:       "ask who sent it for the certificates, or for the key in one of the forms that gmtls key reads",
	FormPKCS12:       "take certificate and key out with: openssl pkcs12 -in FILE -nodes -out FILE.pem",
	FormEnvelopedKey: "make a key file of it with: gmtls key",
	FormCFCA:         "make a key file of it with: gmtls key",
	FormEscrow:       "make a key file of it with: gmtls key",
	FormCSRResponse:  "take the encryption key and the certificates out with: gmtls key",
}

func (o Object) refuse(form Form) error {
	return o.fail(fmt.Errorf("it is %s", form), remedies[form])
}

func (o Object) refuseLabel() error {
	switch o.Label {
	case "TRUSTED CERTIFICATE", "X509 CERTIFICATE":
		return o.fail(fmt.Errorf("its label is %s, and certificates are read only as CERTIFICATE", o.Label),
			"convert it with: openssl x509 -in FILE -out FILE.pem")
	case "CRL":
		return o.fail(errors.New("its label is CRL, and revocation lists are read only as X509 CRL"),
			"convert it with: openssl crl -in FILE -out FILE.pem")
	}
	form := FormOf(o.DER)
	remedy := remedies[form]
	if label := labels[form]; label != "" {
		remedy = "write " + label + " in its BEGIN and END lines"
	}
	return o.fail(fmt.Errorf("its label is %q, which is not read (it holds %s)", o.Label, form), remedy)
}

// unreadable carries the parser's reason, and what the object seems to be if that is another thing than its label says.
func (o Object) unreadable(what string, wanted Form, err error) error {
	if form := FormOf(o.DER); form != wanted && form != FormUnknown {
		return o.fail(fmt.Errorf("%s: %w (it is %s)", what, err, form), remedies[form])
	}
	return o.fail(fmt.Errorf("%s: %w", what, err), "")
}
