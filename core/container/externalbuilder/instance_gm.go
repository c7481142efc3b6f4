// SPDX-License-Identifier: Apache-2.0

package externalbuilder

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric/core/container/ccintf"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// ChaincodeServerUserData takes the TLCP settings of a connection.json. With tls_mode gm, client_cert and client_key are the
// signing pair and root_cert holds the SM2 root.
//
//fork:fields gm: connection.json may ask for TLCP and carry a certificate pair
type ChaincodeServerUserData struct {
	TLSMode       string `json:"tls_mode,omitempty"`        // tls (also when absent) or gm
	ClientEncCert string `json:"client_enc_cert,omitempty"` // PEM encoded TLCP encryption certificate
	ClientEncKey  string `json:"client_enc_key,omitempty"`  // PEM encoded key of client_enc_cert
}

// ChaincodeServerInfo adds protocol and encryption pair to what upstream makes of connection.json. The protocol is always
// explicit: what the peer speaks to other nodes says nothing about its chaincode.
//
//fork:wrap gm: chaincode-as-a-service over TLCP
func (c *ChaincodeServerUserData) ChaincodeServerInfo(cryptoDir string) (*ccintf.ChaincodeServerInfo, error) {
	mode, err := comm.ParseClientMode(c.TLSMode)
	if err != nil {
		return nil, fmt.Errorf("connection.json of chaincode at %s: tls_mode: %w", c.Address, err)
	}
	if mode == comm.ClientGM && !c.TLSRequired {
		return nil, fmt.Errorf("connection.json of chaincode at %s: tls_mode is gm but tls_required is not true", c.Address)
	}
	if err := c.checkPair(mode); err != nil {
		return nil, fmt.Errorf("connection.json of chaincode at %s: %w", c.Address, err)
	}
	info, err := c.upstreamChaincodeServerInfo(cryptoDir)
	if err != nil || !c.TLSRequired {
		return info, err
	}
	options := &info.ClientConfig.SecOpts
	if c.TLSMode != "" {
		options.ClientMode = mode
	}
	if options.RequireClientCert && mode == comm.ClientGM {
		options.Certificate = []byte(c.ClientCert + "\n" + c.ClientEncCert)
		options.Key = []byte(c.ClientKey + "\n" + c.ClientEncKey)
	}
	return info, nil
}

func (c *ChaincodeServerUserData) checkPair(mode comm.ClientMode) error {
	given := c.ClientEncCert != "" || c.ClientEncKey != ""
	switch {
	case mode != comm.ClientGM && given:
		return errors.New("client_enc_cert and client_enc_key are for tls_mode gm")
	case mode == comm.ClientGM && c.ClientAuthRequired && (c.ClientEncCert == "" || c.ClientEncKey == ""):
		return errors.New("tls_mode gm with client_auth_required needs client_enc_cert and client_enc_key beside the signing pair")
	}
	return nil
}
