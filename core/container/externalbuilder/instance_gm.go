// SPDX-License-Identifier: Apache-2.0

package externalbuilder

import (
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric/common/ccserver"
	"github.com/hyperledger/fabric/core/container/ccintf"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// ChaincodeServerUserData takes the GM settings of a connection.json. With tls_mode gm, client_cert and client_key are the
// signing pair and root_cert holds the SM2 root.
//
//fork:fields gm: connection.json may ask for TLCP and carry a certificate pair
type ChaincodeServerUserData struct {
	TLSMode       string `json:"tls_mode,omitempty"`        // tls (also when absent) or gm
	GMProtocol    string `json:"gm_protocol,omitempty"`     // what gm speaks: TLCP (also when absent) or TLS13
	ClientEncCert string `json:"client_enc_cert,omitempty"` // PEM encoded TLCP encryption certificate
	ClientEncKey  string `json:"client_enc_key,omitempty"`  // PEM encoded key of client_enc_cert
}

// ChaincodeServerInfo adds protocol and encryption pair to what upstream makes of connection.json. The protocol is always
// explicit: what the peer speaks to other nodes says nothing about its chaincode. Certificates and keys are read when the peer connects.
//
//fork:wrap gm: chaincode-as-a-service over TLCP
func (c *ChaincodeServerUserData) ChaincodeServerInfo(cryptoDir string) (*ccintf.ChaincodeServerInfo, error) {
	if c == nil { // encoding/json makes it so
		return nil, errors.New("connection.json is null; write an object with address, dial_timeout and tls_required")
	}
	info, err := c.upstreamChaincodeServerInfo(cryptoDir)
	if err != nil {
		return nil, err
	}
	fields := ccserver.Connection{
		Address: c.Address, DialTimeout: time.Duration(c.DialTimeout).String(), TLSRequired: c.TLSRequired,
		ClientAuthRequired: c.ClientAuthRequired, ClientKey: c.ClientKey, ClientCert: c.ClientCert, RootCert: c.RootCert,
		TLSMode: c.TLSMode, GMProtocol: c.GMProtocol, ClientEncCert: c.ClientEncCert, ClientEncKey: c.ClientEncKey,
	}
	if err := fields.CheckFields(); err != nil {
		return nil, fmt.Errorf("connection.json of chaincode at %s: %w", c.Address, err)
	}
	if !c.TLSRequired {
		return info, nil
	}
	options := &info.ClientConfig.SecOpts
	options.ClientMode, options.GMClientProtocol = comm.ClientMode(c.TLSMode), c.GMProtocol
	if options.RequireClientCert && options.ClientMode == comm.ClientGM {
		options.Certificate = []byte(c.ClientCert + "\n" + c.ClientEncCert)
		options.Key = []byte(c.ClientKey + "\n" + c.ClientEncKey)
	}
	return info, nil
}
