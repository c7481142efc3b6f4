// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/pkg/errors"
	"google.golang.org/grpc/peer"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/util"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// sessionBindingSize is the size of the value that ties a request for authentication to its connection, in bytes.
const sessionBindingSize = 32

// GetTLSSessionBinding returns what ties a request for authentication to the connection that carries it, whichever protocol that
// speaks. The request names its receiver too, which the receiver checks: see [gmtls.Conn.ExportKeyingMaterial] for why it has to.
//
//fork:replace gm: consenters authenticate over TLCP too, whose secrets the standard state cannot hold; without TLS it fails and does not panic
func GetTLSSessionBinding(ctx context.Context, bindingPayload []byte) ([]byte, error) {
	if _, ok := peer.FromContext(ctx); !ok {
		return nil, errors.New("failed extracting stream context")
	}
	binding, err := comm.ExportKeyingMaterial(ctx, KeyingMaterialLabel, bindingPayload, sessionBindingSize)
	if err != nil {
		return nil, errors.Wrap(err, "failed exporting keying material")
	}
	return binding, nil
}

// verifyMessage checks a consenter's signature over msg by the key of its identity, a certificate in PEM. An SM2 key signs the
// message, any other its SHA-256.
func verifyMessage(identity, msg, signature []byte) error {
	block, _ := pem.Decode(identity)
	if block == nil {
		return errors.New("pem decoding failed")
	}
	cert, err := gmx509.ParseCertificate(block.Bytes)
	if err != nil {
		return errors.Wrap(err, "key extraction failed")
	}
	if !gmx509.IsSM2(cert.PublicKey) {
		return VerifySignature(identity, SHA256Digest(msg), signature)
	}
	if err := gmx509.CheckSignature(cert, gmx509.SM2WithSM3, msg, signature); err != nil {
		return fmt.Errorf("signature by %q: %w", cert.Subject, err)
	}
	return nil
}

// isOwn reports whether the certificate that a server has shown is this node's own. The client's certificate stands for it, as
// upstream has it: that of the protocol and of the time of the connection, or the one that the puller was made with.
func (p *BlockPuller) isOwn(shown *x509.Certificate) bool {
	if shown == nil {
		return false
	}
	if p.MyOwnTLSCert != nil && p.MyOwnTLSCert.Equal(shown) {
		return true
	}
	d, ok := p.Dialer.(*StandardDialer)
	return ok && string(d.Config.SecOpts.BindingHash()) == string(util.ComputeSHA256(shown.Raw))
}
