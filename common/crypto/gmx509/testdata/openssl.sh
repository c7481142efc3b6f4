#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the fixtures in openssl/ with OpenSSL 3.0 or later. Run it in this folder; the files that it wrote are committed, so
# that the tests need no openssl. Everything is SM2 unless the name says otherwise; the password is "password".
set -eu
rm -rf openssl && mkdir openssl && cd openssl
id=distid:1234567812345678

# Keys. ca.sec1.pem has the SM2 PARAMETERS block in front, as openssl writes it.
openssl ecparam -name SM2 -genkey -out ca.sec1.pem
openssl pkcs8 -topk8 -nocrypt -in ca.sec1.pem -out ca.pkcs8.pem
openssl ec -in ca.sec1.pem -outform DER -out ca.sec1.der
openssl pkcs8 -topk8 -nocrypt -in ca.sec1.pem -outform DER -out ca.pkcs8.der
openssl ec -in ca.sec1.pem -pubout -out ca.pub.pem
openssl ec -in ca.sec1.pem -param_enc explicit -out ca.explicit.sec1.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pkcs8.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pkcs8.pem

# Encrypted keys: RFC 1423 headers, PBES2 with several ciphers and pseudo-random functions, PBES1, scrypt.
openssl ec -in ca.sec1.pem -aes256 -passout pass:password -out ca.legacy-aes256.pem
openssl ec -in ca.sec1.pem -sm4 -passout pass:password -out ca.legacy-sm4.pem
for cipher in aes-128-cbc aes-192-cbc aes-256-cbc sm4-cbc; do
  for prf in hmacWithSHA1 hmacWithSHA256 hmacWithSHA512; do
    openssl pkcs8 -topk8 -v2 $cipher -v2prf $prf -passout pass:password -in ca.sec1.pem -out ca.$cipher.$prf.pem
  done
done
openssl pkcs8 -topk8 -v2 aes256 -passout pass:password -in p256.pkcs8.pem -out p256.aes256.pem
openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout pass:password -in ca.sec1.pem -out ca.pbes1.pem
openssl pkcs8 -topk8 -scrypt -passout pass:password -in ca.sec1.pem -out ca.scrypt.pem

# A root, an intermediate, a leaf, a request and a revocation list that names the leaf.
cat > ext.cnf <<'END'
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = crlnumber
default_md = sm3
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[inter]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:peer0.org1.example.com, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
openssl req -new -key ca.sec1.pem -sm3 -sigopt $id -subj "/C=CN/O=org1/CN=ca" -out ca.csr
openssl x509 -req -in ca.csr -vfyopt $id -signkey ca.sec1.pem -sm3 -sigopt $id -days 36500 -extfile ext.cnf -extensions root -out ca.crt
openssl ecparam -name SM2 -genkey -noout -out inter.key
openssl req -new -key inter.key -sm3 -sigopt $id -subj "/C=CN/O=org1/CN=inter" -out inter.csr
openssl x509 -req -in inter.csr -vfyopt $id -CA ca.crt -CAkey ca.sec1.pem -set_serial 2 -sm3 -sigopt $id -days 36500 -extfile ext.cnf -extensions inter -out inter.crt
openssl ecparam -name SM2 -genkey -noout -out leaf.key
openssl req -new -key leaf.key -sm3 -sigopt $id -subj "/C=CN/O=org1/OU=peer/CN=peer0.org1.example.com" -out leaf.csr
openssl x509 -req -in leaf.csr -vfyopt $id -CA inter.crt -CAkey inter.key -set_serial 3 -sm3 -sigopt $id -days 36500 -extfile ext.cnf -extensions leaf -out leaf.crt
: > index.txt
echo 01 > crlnumber
openssl ca -config ext.cnf -revoke leaf.crt -keyfile inter.key -cert inter.crt
openssl ca -config ext.cnf -gencrl -keyfile inter.key -cert inter.crt -md sm3 -sigopt $id -crldays 36500 -out inter.crl
rm -f index.txt* crlnumber* ext.cnf

# A signature over a message.
printf 'signed by openssl' > message
openssl dgst -sm3 -sign leaf.key -sigopt $id -out message.sig message
openssl version > VERSION
