// SPDX-License-Identifier: Apache-2.0

// Program parts uses certificates and SM2 tables of Fabric GM and nothing else of it. It judges files that OpenSSL made, in the
// folder of its argument, and prints what it found.
package main

import (
	"crypto/ecdsa"
	"fmt"
	"log"
	"math/big"
	"os"
	"path/filepath"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/sm2table"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

func main() {
	root, inter, leaf := certificate("ca.crt"), certificate("inter.crt"), certificate("leaf.crt")
	message, signature := content("message"), content("message.sig")

	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	opts.Roots.AddCert(root)
	_, err := x509.Verify(leaf, opts)
	fmt.Println("chain without its intermediate:", err == nil)
	opts.Intermediates.AddCert(inter)
	_, err = x509.Verify(leaf, opts)
	fmt.Println("chain:", err == nil)
	fmt.Println("signature:", x509.CheckSignature(leaf, x509.SM2WithSM3, message, signature) == nil)

	key := leaf.PublicKey.(*ecdsa.PublicKey)
	table, err := sm2table.New(key)
	check(err)
	fmt.Println("signature by table:", table.VerifyASN1(digest(key, message), signature))
	fmt.Println("another message by table:", table.VerifyASN1(digest(key, append(message, '!')), signature))
}

// digest returns SM3(Z || message) for the default ID (GB/T 32918.2, section 5.5).
func digest(key *ecdsa.PublicKey, message []byte) []byte {
	const id = "1234567812345678"
	params := key.Curve.Params()
	z := sm3.New()
	z.Write([]byte{0, byte(8 * len(id))})
	z.Write([]byte(id))
	for _, n := range []*big.Int{new(big.Int).Sub(params.P, big.NewInt(3)), params.B, params.Gx, params.Gy} { // a is p - 3
		z.Write(n.FillBytes(make([]byte, 32)))
	}
	point, err := x509.SM2Point(key)
	check(err)
	z.Write(point[1:])
	sum := sm3.Sum(append(z.Sum(nil), message...))
	return sum[:]
}

func certificate(name string) *x509.Certificate {
	cert, err := x509.ParseCertificatePEM(content(name))
	check(err)
	return cert
}

func content(name string) []byte {
	text, err := os.ReadFile(filepath.Join(os.Args[1], name))
	check(err)
	return text
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
