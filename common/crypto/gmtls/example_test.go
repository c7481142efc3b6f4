// SPDX-License-Identifier: Apache-2.0

package gmtls_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// A server with a certificate pair that demands one of its clients.
func ExampleListen() {
	pair, err := gmtls.LoadX509KeyPair("sign.crt", "sign.key", "enc.crt", "enc.key")
	if err != nil {
		log.Fatal(err)
	}
	roots := smx509.NewCertPool()
	pem, err := os.ReadFile("ca.crt")
	if err != nil {
		log.Fatal(err)
	}
	roots.AppendCertsFromPEM(pem)
	l, err := gmtls.Listen("tcp", ":7051", &gmtls.Config{
		Certificates:       []gmtls.Certificate{pair},
		ClientAuth:         gmtls.RequireAndVerifyClientCert,
		ClientCAs:          roots,
		ServerSessionCache: gmtls.NewLRUServerSessionCache(1000),
	})
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer conn.Close()
			io.Copy(conn, conn)
		}()
	}
}

// A client that knows the authority of its server.
func ExampleDial() {
	roots := smx509.NewCertPool()
	pem, err := os.ReadFile("ca.crt")
	if err != nil {
		log.Fatal(err)
	}
	roots.AppendCertsFromPEM(pem)
	conn, err := gmtls.Dial("tcp", "peer0.org1.example.com:7051", &gmtls.Config{RootCAs: roots})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, "hello over", gmtls.CipherSuiteName(conn.ConnectionState().CipherSuite))
}

// TLCP and TLS on one port.
func ExampleNewSniffListener() {
	var (
		tlcpConfig *gmtls.Config
		tlsConfig  *tls.Config
	)
	inner, err := net.Listen("tcp", ":7051")
	if err != nil {
		log.Fatal(err)
	}
	l := gmtls.NewSniffListener(inner, gmtls.SniffConfig{
		TLCP: func(c net.Conn) net.Conn { return gmtls.Server(c, tlcpConfig) },
		TLS:  func(c net.Conn) net.Conn { return tls.Server(c, tlsConfig) },
	})
	defer l.Close()
}
