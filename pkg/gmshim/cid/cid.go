// SPDX-License-Identifier: Apache-2.0

// Package cid tells chaincode who submitted the transaction. It reads creators with SM2 certificates, and those that
// fabric-chaincode-go's package of the same name reads. Functions, interfaces and results are the same, so a chaincode
// only changes the import path.
//
// The endorsing peer has authenticated the creator before the chaincode runs. This package does not verify it again.
package cid

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/attrmgr"
	upstream "github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"google.golang.org/protobuf/proto"
)

// ChaincodeStubInterface is the one method of the chaincode stub that this package needs.
type ChaincodeStubInterface = upstream.ChaincodeStubInterface

// ClientIdentity is the identity that submitted a transaction. It is upstream's interface, so values of this
// package can be passed to code that expects upstream's, such as contractapi.
type ClientIdentity = upstream.ClientIdentity

// ClientID is the identity of one transaction's submitter.
type ClientID struct {
	mspID string
	cert  *gmx509.Certificate // nil for an idemix creator
	attrs *attrmgr.Attributes
}

var _ ClientIdentity = (*ClientID)(nil)

// New reads the creator of the transaction from stub. It fails when the creator is absent, is not a serialized
// identity, or holds neither an X.509 certificate in PEM nor an idemix credential.
func New(stub ChaincodeStubInterface) (*ClientID, error) {
	creator, err := stub.GetCreator()
	if err != nil {
		return nil, fmt.Errorf("cid: read the transaction's creator: %w", err)
	}
	if creator == nil {
		return nil, errors.New("cid: the transaction has no creator")
	}
	identity := &msp.SerializedIdentity{}
	if err := proto.Unmarshal(creator, identity); err != nil {
		return nil, fmt.Errorf("cid: the transaction's creator is not a serialized identity: %w", err)
	}
	id := &ClientID{mspID: identity.GetMspid()}

	block, _ := pem.Decode(identity.GetIdBytes())
	if block == nil {
		id.attrs, err = attrmgr.New().GetAttributesFromIdemix(creator)
		if err != nil {
			return nil, fmt.Errorf("cid: the creator of MSP %s is neither a certificate in PEM nor an idemix credential: %w", id.mspID, err)
		}
		return id, nil
	}
	id.cert, err = gmx509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cid: parse the creator's certificate of MSP %s: %w", id.mspID, err)
	}
	id.attrs, err = attrmgr.New().GetAttributesFromCert(id.cert)
	if err != nil {
		return nil, fmt.Errorf("cid: read the attributes in the creator's certificate of MSP %s: %w", id.mspID, err)
	}
	return id, nil
}

// GetID returns base64("x509::" + subject DN + "::" + issuer DN), DNs as RFC 2253 writes them, as upstream does. It
// outlives a renewal of the certificate. An idemix creator has none: that is an error.
//
// It has only the attributes C, ST, L, street, postal code, O, OU, CN and serialNumber, and one CN of several. So it is
// unique within the MSP only if the CAs tell their subjects apart by these. Fabric CA does, by CN. Others may do it by
// UID or e-mail: then use RawSubject and RawIssuer of the certificate, as examples/token does.
func (c *ClientID) GetID() (string, error) {
	if c.cert == nil {
		return "", errors.New("cid: an idemix creator has no id")
	}
	id := "x509::" + c.cert.Subject.ToRDNSequence().String() + "::" + c.cert.Issuer.ToRDNSequence().String()
	return base64.StdEncoding.EncodeToString([]byte(id)), nil
}

// GetMSPID returns the id of the MSP that the creator belongs to. It never fails.
func (c *ClientID) GetMSPID() (string, error) {
	return c.mspID, nil
}

// GetAttributeValue returns the attribute that Fabric CA put in the certificate under name, or found false.
// Idemix creators have the attributes "ou" and "role".
func (c *ClientID) GetAttributeValue(name string) (value string, found bool, err error) {
	return c.attrs.Value(name)
}

// AssertAttributeValue fails unless the creator has the attribute name with exactly that value.
func (c *ClientID) AssertAttributeValue(name, value string) error {
	actual, found, err := c.GetAttributeValue(name)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("cid: the creator has no attribute %q", name)
	}
	if actual != value {
		return fmt.Errorf("cid: the creator's attribute %q is %q, not %q", name, actual, value)
	}
	return nil
}

// HasOUValue reports whether the subject of the creator's certificate has that organizational unit. An idemix creator
// has no certificate: that is an error.
func (c *ClientID) HasOUValue(ou string) (bool, error) {
	if c.cert == nil {
		return false, errors.New("cid: an idemix creator has no certificate to look for organizational units in")
	}
	return slices.Contains(c.cert.Subject.OrganizationalUnit, ou), nil
}

// GetX509Certificate returns the creator's certificate, or nil for an idemix creator. The public key of an SM2
// certificate is an *ecdsa.PublicKey on gmsm's SM2 curve.
func (c *ClientID) GetX509Certificate() (*gmx509.Certificate, error) {
	return c.cert, nil
}

// GetID is New followed by the method of the same name.
func GetID(stub ChaincodeStubInterface) (string, error) {
	c, err := New(stub)
	if err != nil {
		return "", err
	}
	return c.GetID()
}

// GetMSPID is New followed by the method of the same name.
func GetMSPID(stub ChaincodeStubInterface) (string, error) {
	c, err := New(stub)
	if err != nil {
		return "", err
	}
	return c.GetMSPID()
}

// GetAttributeValue is New followed by the method of the same name.
func GetAttributeValue(stub ChaincodeStubInterface, name string) (value string, found bool, err error) {
	c, err := New(stub)
	if err != nil {
		return "", false, err
	}
	return c.GetAttributeValue(name)
}

// AssertAttributeValue is New followed by the method of the same name.
func AssertAttributeValue(stub ChaincodeStubInterface, name, value string) error {
	c, err := New(stub)
	if err != nil {
		return err
	}
	return c.AssertAttributeValue(name, value)
}

// HasOUValue is New followed by the method of the same name.
func HasOUValue(stub ChaincodeStubInterface, ou string) (bool, error) {
	c, err := New(stub)
	if err != nil {
		return false, err
	}
	return c.HasOUValue(ou)
}

// GetX509Certificate is New followed by the method of the same name.
func GetX509Certificate(stub ChaincodeStubInterface) (*gmx509.Certificate, error) {
	c, err := New(stub)
	if err != nil {
		return nil, err
	}
	return c.GetX509Certificate()
}
