// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/cryptogen/ca"
	"github.com/hyperledger/fabric/internal/cryptogen/csp"
)

const (
	// gmCAFile is the SM2 TLS CA certificate in a node's tls folder.
	gmCAFile = "gm-ca.crt"

	tlcpSignUsage = x509.KeyUsageDigitalSignature
	tlcpEncUsage  = x509.PairEncryptionUsage
)

// AddGMTLSRoot puts the SM2 TLS CA into an MSP's tlscacerts if the organisation's
// identities are SM2. The MSP of an ECDSA organisation stays without it, since
// stock nodes refuse an MSP with a certificate that they cannot parse.
func AddGMTLSRoot(mspDir string, signCA, tlsCA *ca.CA) error {
	if tlsCA.GMTLS == nil || !signCA.IsGM() {
		return nil
	}
	return x509Export(filepath.Join(mspDir, "tlscacerts", x509Filename(tlsCA.GMTLS.Name)), tlsCA.GMTLS.SignCert)
}

// AddTLCP gives the node or user in nodeDir its TLCP material, unless it has it
// or the organisation has no SM2 TLS CA. In addition to the standard files
// of the tls folder it writes gm-ca.crt and, with the prefix server for nodes and client
// for users, PREFIX-sign.crt, PREFIX-sign.key, PREFIX-enc.crt and PREFIX-enc.key.
func AddTLCP(nodeDir, name string, sans []string, signCA, tlsCA *ca.CA, nodeType int) error {
	if tlsCA.GMTLS == nil {
		return nil
	}
	prefix := "server"
	if nodeType == CLIENT || nodeType == ADMIN {
		prefix = "client"
	}
	tlsDir := filepath.Join(nodeDir, "tls")
	// The signing certificate is written last: where it stands, all stands.
	_, err := os.Stat(filepath.Join(tlsDir, prefix+"-sign.crt"))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	if err := AddGMTLSRoot(filepath.Join(nodeDir, "msp"), signCA, tlsCA); err != nil {
		return err
	}
	if err := x509Export(filepath.Join(tlsDir, gmCAFile), tlsCA.GMTLS.SignCert); err != nil {
		return err
	}
	if err := issueTLCPHalf(tlsDir, prefix+"-enc", name, sans, tlsCA.GMTLS, tlcpEncUsage); err != nil {
		return err
	}
	return issueTLCPHalf(tlsDir, prefix+"-sign", name, sans, tlsCA.GMTLS, tlcpSignUsage)
}

// AddTLCPToExisting gives TLCP material to every node and user of the
// organisation in orgDir that has none, with the names of its standard TLS
// certificate.
func AddTLCPToExisting(orgDir string, signCA, tlsCA *ca.CA) error {
	for _, kind := range []string{"peers", "orderers", "users"} {
		dirs, err := os.ReadDir(filepath.Join(orgDir, kind))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		nodeType, certFile := PEER, "server.crt"
		if kind == "users" {
			nodeType, certFile = CLIENT, "client.crt"
		}
		for _, dir := range dirs {
			nodeDir := filepath.Join(orgDir, kind, dir.Name())
			sans, err := namesIn(filepath.Join(nodeDir, "tls", certFile))
			if errors.Is(err, fs.ErrNotExist) {
				continue // not a folder that cryptogen wrote
			}
			if err != nil {
				return err
			}
			if err := AddTLCP(nodeDir, dir.Name(), sans, signCA, tlsCA, nodeType); err != nil {
				return err
			}
		}
	}
	return nil
}

// namesIn returns the subject alternative names of the certificate in file.
func namesIn(file string) ([]string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificatePEM(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names, nil
}

// issueTLCPHalf writes tlsDir/half.key and tlsDir/half.crt. A key that an
// interrupted run left without its certificate is replaced.
func issueTLCPHalf(tlsDir, half, name string, sans []string, gmTLSCA *ca.CA, usage x509.KeyUsage) error {
	keyFile := filepath.Join(tlsDir, half+".key")
	if err := os.Remove(keyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := csp.GenerateSM2PrivateKey(keyFile)
	if err != nil {
		return err
	}
	if _, err := gmTLSCA.IssueTLCP(tlsDir, half, name, sans, &key.PublicKey, usage); err != nil {
		return err
	}
	return os.Rename(filepath.Join(tlsDir, x509Filename(half)), filepath.Join(tlsDir, half+".crt"))
}
