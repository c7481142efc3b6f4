// SPDX-License-Identifier: Apache-2.0

package cause

// The causes, by where they appear.
const (
	NameResolution     ID = "name-resolution"
	Refused            ID = "connection-refused"
	ConnectTimeout     ID = "connect-timeout"
	Unreachable        ID = "unreachable"
	SilentPeer         ID = "silent-peer"
	HandshakeTimeout   ID = "handshake-timeout"
	SpeaksTLS          ID = "speaks-tls"
	SpeaksTLCP         ID = "speaks-tlcp"
	SpeaksTLS13        ID = "speaks-tls13-gm"
	SpeaksPlain        ID = "speaks-plain"
	ClosedAtHello      ID = "closed-at-hello"
	ClosedMidway       ID = "closed-midway"
	Reset              ID = "connection-reset"
	NoSharedSuite      ID = "no-shared-suite"
	NoServerPair       ID = "no-server-pair"
	OtherSuites        ID = "other-suites"
	NoSharedGroup      ID = "no-shared-group"
	ExtensionsRefused  ID = "extensions-refused"
	NoSharedALPN       ID = "no-shared-alpn"
	OtherDialect       ID = "other-dialect"
	NameUnknown        ID = "server-name-unknown"
	SingleCertificate  ID = "single-certificate"
	SignUsage          ID = "sign-usage"
	EncUsage           ID = "enc-usage"
	Unpaired           ID = "unpaired-certificates"
	BadServerSignature ID = "server-signature"
	UnknownRoot        ID = "unknown-root"
	NoIntermediate     ID = "missing-intermediate"
	WrongRoot          ID = "wrong-root"
	SignerID           ID = "signer-id"
	Expired            ID = "expired"
	NotYetValid        ID = "not-yet-valid"
	ClockSkew          ID = "clock-skew"
	ExpiresSoon        ID = "expires-soon"
	NameMismatch       ID = "name-mismatch"
	NoServerAuth       ID = "no-server-auth"
	ClientCertRequired ID = "client-cert-required"
	ClientCertRefused  ID = "client-cert-refused"
	FinishedMismatch   ID = "finished-mismatch"
	AlertReceived      ID = "alert-received"
	Unparsable         ID = "unparsable"
	BlockHash          ID = "block-hash"
	IdentityForm       ID = "identity-form"
	ConfigUpdate       ID = "config-update"
	PacketsMissing     ID = "packets-missing"
	Unhealthy          ID = "unhealthy"
	KeyMismatch        ID = "key-mismatch"
	KeyMissing         ID = "key-missing"
	KeyEncrypted       ID = "key-encrypted"
	KeyPassword        ID = "key-password"
	KeyReadable        ID = "key-readable"
	KeyReused          ID = "key-reused"
	KeyShort           ID = "key-short"
	SwappedPair        ID = "swapped-pair"
	NotACA             ID = "not-a-ca"
	ChainBroken        ID = "chain-broken"
	Revoked            ID = "revoked"
	CRLStale           ID = "crl-stale"
	CRLForeign         ID = "crl-foreign"
	CRLNoKeyID         ID = "crl-no-key-id"
	MSPIncomplete      ID = "msp-incomplete"
	FamilyMixed        ID = "family-mixed"
	NodeOUs            ID = "node-ous"
	UnusedFile         ID = "unused-file"
	SettingTwice       ID = "setting-twice"
)

// Table holds every cause, in the order of a connection's life and then of
// files.
var Table = []Cause{
	{NameResolution, "lookup fails: no such host",
		"Neither the hosts file nor the DNS of this machine has the name.",
		"Correct the name, add it to the hosts file or DNS, or in containers join the network that knows it.",
		"getent hosts NAME"},
	{Refused, "connect: connection refused",
		"The machine answers, but nothing listens on the port: the node is down, listens on another port, or on 127.0.0.1 only.",
		"Start the node; compare the port and listenAddress in core.yaml or orderer.yaml; look at its log for a failed start.",
		"ss -ltnp"},
	{ConnectTimeout, "connect: i/o timeout",
		"Packets vanish: a firewall or security group drops them, the address is wrong, or the listener's backlog is full.",
		"Open the port on the way; check the address; if the node is reachable locally only now and then, look at its load and backlog (Recv-Q as large as Send-Q).",
		"ss -ltn"},
	{Unreachable, "connect: no route to host, or network is unreachable",
		"There is no route to the address, or a firewall rejects the connection openly.",
		"Check routes and the address family (IPv6 without a route is frequent).",
		"ip route get ADDRESS"},
	{SilentPeer, "connected, then no byte in answer to ClientHello until the timeout",
		"The process hangs or is stopped, a proxy in between waits for something else, or the port is a plain one that waits for the client.",
		"Probe from the node's own machine; look at its load and log; check that no balancer sits in between.",
		"gmtls probe localhost:PORT"},
	{HandshakeTimeout, "the handshake starts and then stands still",
		"A middle box drops large packets (certificates), or the server is overloaded.",
		"Compare from the node's own machine; check the MTU on the way; look at the server's processor load.",
		"gmtls probe HOST:PORT --timeout 30s"},
	{SpeaksTLS, "TLCP was tried, the answer is TLS",
		"The endpoint speaks TLS only: its TLS mode is tls, or it is not a GM endpoint.",
		"Set peer.tls.mode or General.TLS.Mode to gm or dual on the node, or use TLS on the client.",
		"gmtls probe HOST:PORT --protocol tls"},
	{SpeaksTLCP, "TLS was tried, the answer is TLCP",
		"The endpoint speaks TLCP only: its TLS mode is gm.",
		"Set the client's mode to gm (peer.tls.clientMode, --tlsmode gm), set the node to dual, or put gmtls proxy in between.",
		"gmtls probe HOST:PORT --protocol tlcp"},
	{SpeaksTLS13, "TLCP or TLS was tried; TLS 1.3 with GM suites succeeds",
		"TLS13 is the only GM protocol of the endpoint.",
		"Dial that protocol (peer.tls.gm.clientProtocol, --gmProtocol TLS13), add TLCP to peer.tls.gm.protocols or General.TLS.GMProtocols, or put gmtls proxy in between.",
		"gmtls probe HOST:PORT --protocol tls13-gm"},
	{SpeaksPlain, "the first record does not look like TLS or TLCP",
		"The port is a plain one: TLS is switched off there, or it is another service.",
		"Check the port; enable TLS on the node (peer.tls.enabled, General.TLS.Enabled, operations.tls.enabled).",
		"gmtls probe HOST:PORT --fabric"},
	{ClosedAtHello, "the peer closes the connection on ClientHello, without an alert",
		"Typical of a server that does not know the protocol offered, or of a balancer without a backend.",
		"Try the other protocol; look at the node's log at that moment.",
		"gmtls probe HOST:PORT"},
	{ClosedMidway, "the peer closes the connection in the middle of the handshake, without an alert",
		"The server gave up without saying why, often over a client certificate, or it crashed.",
		"Look at the server's log; the ladder shows the last message that it took.",
		"gmtls probe HOST:PORT --protocol tlcp"},
	{Reset, "connection reset by peer",
		"The process went away, or something in between cuts connections that it does not understand.",
		"Probe from the node's own machine; if that works, look at firewalls and balancers on the way.",
		"gmtls probe localhost:PORT"},
	{NoSharedSuite, "alert 40 handshake failure (or 71) right after ClientHello",
		"Client and server have no cipher suite in common; ECDHE suites need a certificate pair of the client as well.",
		"Enable a common suite, ECC_SM4_GCM_SM3 or ECC_SM4_CBC_SM3 at best; or give the client a pair.",
		"gmtls probe HOST:PORT --cert S --key SK --enc-cert E --enc-key EK"},
	{NoServerPair, "alert 40 handshake failure, whichever suite of the standard is offered",
		"The server has no certificate pair for any of its suites: it has none, or an RSA pair with suites that need SM2.",
		"Give the server an SM2 pair with its keys; its log says which file it could not use.",
		"gmtls inspect sign.crt sign.key enc.crt enc.key"},
	{OtherSuites, "the server accepts only suites of RSA or of identity-based cryptography",
		"Its pair is an RSA pair, or its list of suites has none for an SM2 pair.",
		"Give the server an SM2 pair, and enable ECC_SM4_GCM_SM3 or ECC_SM4_CBC_SM3.",
		"gmtls probe HOST:PORT --protocol tlcp"},
	{NoSharedGroup, "TLS 1.3 with GM suites fails with the group curveSM2 and succeeds with curveSM2MLKEM768",
		"The server accepts only the key exchange of SM2 with ML-KEM.",
		"Turn hybridKeyExchange on at the client (peer.tls.gm.hybridKeyExchange, --hybrid), or enable curveSM2 on the server.",
		"gmtls probe HOST:PORT --protocol tls13-gm"},
	{OtherDialect, "the handshake fails once the client has shown its certificate, and succeeds in another dialect of TLCP",
		"The server's stack implements the standard differently: GmSSL from 3.2 on signs the messages themselves and expects only the signing certificate, and from 3.3 on the length before the ECDHE params.",
		"Set the flags that the detail names in gmtls client and proxy, or the like in the client's stack; nodes keep to the standard, so put gmtls proxy between.",
		"gmtls client HOST:PORT --raw-transcript --vector-params"},
	{ExtensionsRefused, "the handshake fails with extensions in ClientHello and succeeds without",
		"The server's stack refuses all extensions, as GmSSL 3.1 does.",
		"Upgrade the server's stack, or set OmitExtensions in the client.",
		"gmtls client HOST:PORT --omit-extensions"},
	{NoSharedALPN, "alert 120 no application protocol, or no protocol agreed on",
		"The server does not know the application protocol offered. gRPC needs h2.",
		"Check that it is the gRPC port; operations and admin ports speak http/1.1.",
		"gmtls probe HOST:PORT --alpn http/1.1"},
	{NameUnknown, "alert 112 unrecognized name",
		"The server has no certificate for the name that the client asks for by SNI.",
		"Connect by a name that the server serves, or set --name (ssl-target-name-override of SDKs) to one.",
		"gmtls probe HOST:PORT --name NAME"},
	{SingleCertificate, "the server sent one certificate",
		"TLCP needs two, for signing and for encryption; the server is configured with one, or with an ordinary TLS certificate.",
		"Configure the signing and the encryption certificate with their keys (peer.tls.gm.*, General.TLS.GM*).",
		"gmtls inspect sign.crt sign.key enc.crt enc.key"},
	{SignUsage, "the first certificate has no KeyUsage for signing",
		"The certificate was issued for encryption, or the two certificates are in the wrong order.",
		"Issue it with digitalSignature, or swap the two.",
		"gmtls inspect sign.crt enc.crt"},
	{EncUsage, "the second certificate has no KeyUsage for encryption, or is missing",
		"The encryption certificate lacks keyEncipherment, dataEncipherment and keyAgreement: it was issued as a second signing certificate.",
		"Issue it again with keyEncipherment and dataEncipherment.",
		"gmtls inspect enc.crt"},
	{Unpaired, "the two certificates differ in subject or issuer",
		"They are not of one pair: one was renewed or copied from another node.",
		"Issue both together for one subject from one CA.",
		"gmtls inspect sign.crt enc.crt"},
	{BadServerSignature, "the signature of ServerKeyExchange does not hold",
		"The server's signing key does not belong to the certificate it shows, or its stack signs in another way.",
		"Check the pair on the server; reload or restart it after a renewal.",
		"gmtls inspect sign.crt sign.key"},
	{UnknownRoot, "certificate signed by unknown authority",
		"The CA that the chain leads to is not among the roots given, or the server is another one than was meant.",
		"Compare the CA that the detail names with the roots given: a root is added to those of the client (--ca, tls.rootcert.file, tlscacerts of the MSP), an intermediate CA is sent by the server behind its certificate.",
		"gmtls inspect ca.crt chain.pem"},
	{NoIntermediate, "certificate signed by unknown authority, which is an intermediate CA",
		"The server does not send the intermediate CA that issued its certificate; the roots of the client are not at fault.",
		"Put the intermediate CA behind the server's certificate, into the same file, and have the server read it again.",
		"gmtls inspect server.crt intermediate.crt ca.crt"},
	{WrongRoot, "a root of the right name is there, but its key is another",
		"The CA was created again, for instance by generating crypto material again, and one side kept the old CA.",
		"Bring the roots of both sides to the same generation; compare the fingerprints.",
		"gmtls inspect ca.crt"},
	{SignerID, "name and key of the issuer fit, and the SM2 signature does not",
		"It was made with an empty SM2 id, as openssl does without an option; certificates and lists need the id 1234567812345678.",
		"Issue it again with openssl's -sigopt distid:1234567812345678, and verify requests with -vfyopt distid:1234567812345678.",
		"openssl x509 -req ... -sigopt distid:1234567812345678"},
	{Expired, "certificate has expired",
		"A certificate of the chain is past its end, or this machine's clock is ahead.",
		"Renew the certificate and have the node reload it (SIGHUP); after a new identity restart the node. Check both clocks.",
		"gmtls inspect --msp DIR"},
	{NotYetValid, "certificate is not yet valid",
		"A clock is behind: this machine's, or that of the CA was ahead at issuance.",
		"Set the clocks by NTP.",
		"timedatectl"},
	{ClockSkew, "the peer's clock differs from this one",
		"One of the machines does not follow NTP. Certificates will appear expired or not yet valid, and gRPC and Raft time-outs mislead.",
		"Set the clocks by NTP.",
		"gmtls probe HOST:PORT --fabric"},
	{ExpiresSoon, "few days left",
		"The certificate ends soon.",
		"Renew it in time; consenters' certificates need a channel update before they end.",
		"gmtls inspect --msp DIR"},
	{NameMismatch, "certificate is valid for other names",
		"The name dialled is not among the certificate's SANs.",
		"Dial one of the names listed, override the name, or issue the certificate with the name as SAN.",
		"gmtls probe HOST:PORT --name NAME"},
	{NoServerAuth, "certificate specifies an incompatible key usage",
		"Its extended key usage does not allow what it is used for: servers need serverAuth, clients clientAuth, nodes both.",
		"Issue it with serverAuth and clientAuth.",
		"gmtls inspect server.crt"},
	{ClientCertRequired, "the server asks for a client certificate and ends the handshake without one",
		"The endpoint demands mutual TLS.",
		"Give a client certificate (pair) of a CA that the server's list names.",
		"gmtls probe HOST:PORT --cert S --key SK --enc-cert E --enc-key EK"},
	{ClientCertRefused, "an alert about a certificate after the client sent its own",
		"The server does not accept the client's certificate: unknown CA, expired, wrong usage, or one where it wants the pair.",
		"Check the pair, and that its root is among the server's clientRootCAs or the channel's TLS roots.",
		"gmtls inspect sign.crt sign.key enc.crt enc.key ca.crt"},
	{FinishedMismatch, "alert 20 or 51 on the first encrypted message, or a bad MAC",
		"Both ends derive different keys: the encryption key on the server is not that of its certificate, or the stacks differ in a variant.",
		"Check the encryption pair on the server; against GmSSL from 3.2 on both ends must agree on --raw-transcript.",
		"gmtls inspect enc.crt enc.key"},
	{AlertReceived, "another alert from the peer",
		"The peer ended the handshake with the alert given; its meaning is in the table of alerts.",
		"Look at the peer's log at that moment: it knows the reason.",
		"gmtls probe HOST:PORT"},
	{Unparsable, "bytes that are not what they should be",
		"A message or file is damaged, truncated, or of another kind.",
		"Compare with the original; PEM files must be whole, from BEGIN to END.",
		"gmtls inspect FILE"},
	{BlockHash, "the hash in a block's header is not that of its data",
		"The file is damaged or forged, or the block is of a channel with another hash algorithm.",
		"Fetch the block again from another peer, and compare its hash with the previous hash in the next block.",
		"peer channel fetch NUMBER FILE.block"},
	{IdentityForm, "the channel has the identity of a consenter of SmartBFT in another form than nodes write",
		"The file from which it was put into the configuration has text around the certificate, a chain, or other line ends. Peers of a channel with the capability GM_V1 refuse blocks that such a consenter signs.",
		"Change it before the channel gets GM_V1: consortium update replace-orderer with the same certificate writes the right form. A certificate with other DER has to be issued again.",
		"consortium update replace-orderer --address HOST:PORT --identity FILE --block config.block --out update.pb"},
	{ConfigUpdate, "the file is a change of a channel's configuration",
		"What such a change does shows only beside the configuration that it changes: the certificates in it can all be sound.",
		"Before you sign or send it, fetch the configuration (peer channel fetch config CONFIG -c CHANNEL), and run: consortium update show --block CONFIG --file FILE",
		"consortium update show --block CONFIG --file FILE"},
	{PacketsMissing, "a capture lacks packets of a connection",
		"The capturing program was too slow for the traffic, or the capture began or ended in the middle of the connection.",
		"Capture again with a larger buffer (tcpdump -B 65536 -s 0), a filter for the port, and to a fast disk.",
		"gmtls capture FILE.pcap"},
	{Unhealthy, "the endpoint answers, but reports itself unhealthy",
		"A component that the node depends on fails, CouchDB or a chaincode builder for example.",
		"The answer of /healthz names the component.",
		"gmtls probe HOST:OPERATIONS_PORT --fabric"},
	{KeyMismatch, "private key does not belong to the certificate",
		"Files of different generations or nodes were mixed.",
		"Use the key with the certificate that it was made for, or enrol again.",
		"gmtls inspect server.crt server.key"},
	{KeyMissing, "there is no private key for the certificate",
		"The key was not copied, or is in an HSM.",
		"Put the key into keystore/, or the reference to a key in a device that gmtls key reference writes.",
		"gmtls inspect --msp DIR"},
	{KeyEncrypted, "the private key is encrypted",
		"Nodes open encrypted keys of identities and of TLCP pairs with a password file. Keys for TLS must be plain.",
		"Give the password: --passphrase-file for gmtls, BCCSP.GM.FileKeyStore.PasswordFile for an identity, peer.tls.gm.keyPassword.file or " +
			"General.TLS.GMKeyPasswordFile for a TLCP pair. Decrypt only a key for TLS, and protect its file by owner and mode.",
		"gmtls inspect server.key"},
	{KeyPassword, "an encrypted private key does not open",
		"Its password is wrong or not given, or the file is damaged: a wrong password and damage look the same.",
		"Write the password into the first line of a file and name it: --passphrase-file for gmtls, peer.tls.gm.keyPassword.file or " +
			"General.TLS.GMKeyPasswordFile for a TLCP pair. If the password is right, copy the key again.",
		"gmtls inspect server-sign.key --passphrase-file FILE"},
	{KeyReadable, "the key file is open to other users",
		"Its mode lets the group or all users read it.",
		"chmod 600, owned by the user that the node runs as.",
		"ls -l keystore"},
	{KeyReused, "one key in both certificates of a pair",
		"Signing and encryption keys must differ: an encryption key may be kept by the CA, a signing key never.",
		"Issue the pair with two keys.",
		"gmtls inspect sign.crt enc.crt"},
	{KeyShort, "the RSA key is too short",
		"Stock Fabric v2.5.9 takes RSA keys below 1,024 bits; nodes of this fork neither sign nor verify with them, so every handshake and signature of the key fails.",
		"Issue the certificate with a longer key; where it is a CA, replace the CA.",
		"openssl x509 -in ca.crt -noout -text"},
	{SwappedPair, "signing and encryption certificate are swapped",
		"The first certificate is for encryption and the second one for signing.",
		"Swap them in the configuration, with their keys.",
		"gmtls inspect sign.crt enc.crt"},
	{NotACA, "a root or intermediate is not a CA",
		"BasicConstraints CA, KeyUsage certSign or the subject key identifier is missing: a leaf certificate was put where CAs belong, or the CA was made carelessly.",
		"Put the CA's certificate there instead, or issue the CA's certificate again for its key.",
		"gmtls inspect cacerts/*.pem"},
	{ChainBroken, "the issuer is there, but the chain is refused",
		"A rule of the path forbids it: a path length, a name constraint, or an algorithm that is not accepted.",
		"Issue the certificate from a CA that is allowed to issue it; the detail names the rule.",
		"gmtls inspect --msp DIR"},
	{Revoked, "the certificate is on a revocation list",
		"Its CA revoked it.",
		"Enrol again.",
		"gmtls inspect server.crt ca.crl"},
	{CRLStale, "the revocation list is past its next update",
		"A newer one was not fetched.",
		"Fetch the CA's current list and update the MSP.",
		"gmtls inspect ca.crl"},
	{CRLForeign, "the revocation list belongs to none of the CAs here",
		"No CA of the MSP signed it, so it has no effect or the MSP refuses to load.",
		"Put the issuing CA's certificate in, or take the list out.",
		"gmtls inspect --msp DIR"},
	{CRLNoKeyID, "the revocation list does not name its CA by key identifier",
		"Nodes refuse every identity of an organisation whose MSP has such a list, its administrators among them, who then cannot take it out of a channel again.",
		"Do not put it into an MSP folder or a channel. Have the CA issue it with authorityKeyIdentifier: in openssl.cnf crl_extensions with authorityKeyIdentifier=keyid:always.",
		"openssl crl -noout -text -in ca.crl"},
	{MSPIncomplete, "a folder or file of the MSP is missing",
		"The node cannot start without it.",
		"Copy the whole msp folder that cryptogen or the CA client made.",
		"gmtls inspect --msp DIR"},
	{FamilyMixed, "SM2 and other algorithms in one chain",
		"A chain must be SM2 throughout or have none of it.",
		"Issue the certificate from a CA of the same family.",
		"gmtls inspect chain.pem"},
	{NodeOUs, "config.yaml enables NodeOUs and the certificate has none of them, or more than one",
		"The identity must have exactly one OU of client, peer, admin and orderer, from the CA named for it; the MSP refuses other identities.",
		"Enrol with the type set, or correct config.yaml.",
		"gmtls inspect --msp DIR"},
	{UnusedFile, "a file that nothing reads",
		"It is neither certificate, key nor list where only those are expected.",
		"Remove it.",
		"gmtls inspect --msp DIR"},
	{SettingTwice, "a key is twice in core.yaml or orderer.yaml",
		"A node over Fabric 2.5 uses one of the values and does not report the other. A node over Fabric 3 does not start, unless the names differ in upper and lower case.",
		"Keep the line that you want, and remove the other.",
		"gmtls upgrade-check FOLDER"},
}

// Other has the cause and the remedy in protocols other than TLCP.
type Other struct {
	ID            ID
	Protocols     []string
	Cause, Remedy string
}

// The names of protocols in Elsewhere.
const (
	TLS   = "TLS"
	TLS13 = "TLS13-GM"
)

// Elsewhere holds the causes that are different in other protocols than Table says.
var Elsewhere = []Other{
	{SpeaksTLS, []string{TLS13},
		"The endpoint speaks TLS without GM suites: its mode is tls, or TLS13 is not among its GM protocols.",
		"Set the node's mode to gm or dual with TLS13 in peer.tls.gm.protocols or General.TLS.GMProtocols, or use TLS on the client."},
	{SpeaksTLCP, []string{TLS13},
		"The endpoint speaks TLCP, and TLS13 is not among its GM protocols.",
		"Dial TLCP (peer.tls.gm.clientProtocol, --gmProtocol TLCP), or add TLS13 to peer.tls.gm.protocols or General.TLS.GMProtocols."},
	{NoSharedSuite, []string{TLS},
		"Client and server have no version or cipher suite in common, or the server has no certificate for any.",
		"Enable TLS 1.2 or 1.3 with a common suite on both ends, and give the server a certificate."},
	{NoSharedSuite, []string{TLS13},
		"The server has no GM suite of TLS 1.3, no group or signature of SM2, or no SM2 certificate.",
		"Give the server an SM2 certificate, and enable TLS_SM4_GCM_SM3, curveSM2 and sm2sig_sm3."},
	{OtherDialect, []string{TLS13},
		"The server fails over the ChangeCipherSpec in front of the client's certificate (RFC 8446, D.4), as GmSSL 3.3 does.",
		"Set the flag that the detail names in gmtls client and proxy, or the like in the client's stack; nodes keep to the standard, so put gmtls proxy between."},
	{ClientCertRequired, []string{TLS},
		"The endpoint demands mutual TLS.",
		"Give a client certificate of a CA that the server's list names (--tls-cert, --tls-key)."},
	{ClientCertRefused, []string{TLS, TLS13},
		"The server does not accept the client's certificate: unknown CA, expired, or wrong usage.",
		"Check the certificate, and that its root is among the server's clientRootCAs or the channel's TLS roots."},
	{FinishedMismatch, []string{TLS, TLS13},
		"Both ends derive different keys: something on the way changes what is sent, or one of the stacks is at fault.",
		"Look at the log of the peer, and probe from its own machine."},
}

// Alert is an alert with what it means to an operator.
type Alert struct {
	Number  uint8
	Name    string
	Meaning string
}

// Alerts of TLS (RFC 5246, RFC 8446) and TLCP (GB/T 38636-2020, 6.4.2).
var Alerts = []Alert{
	{0, "close notify", "the peer ends the connection in order"},
	{10, "unexpected message", "a message came that the peer did not expect: another protocol or variant"},
	{20, "bad record MAC", "a record does not decrypt: the keys differ"},
	{21, "decryption failed", "a record does not decrypt"},
	{22, "record overflow", "a record is too long"},
	{30, "decompression failure", "compression was used, which peers should never do"},
	{40, "handshake failure", "no acceptable parameters, usually no shared suite, or a missing certificate"},
	{41, "no certificate", "old form: there is no certificate"},
	{42, "bad certificate", "the certificate is damaged or not accepted"},
	{43, "unsupported certificate", "the peer does not accept this kind or usage of certificate"},
	{44, "certificate revoked", "the certificate is revoked"},
	{45, "certificate expired", "the certificate is past its end, or a clock is wrong"},
	{46, "certificate unknown", "the certificate was refused without a reason"},
	{47, "illegal parameter", "a field has a value that is not allowed"},
	{48, "unknown certificate authority", "the certificate's root is not among those that the peer trusts"},
	{49, "access denied", "the certificate is good, but access is not granted"},
	{50, "decode error", "a message cannot be parsed"},
	{51, "decrypt error", "a signature or Finished does not hold"},
	{70, "protocol version not supported", "the peer does not speak this version, or this protocol"},
	{71, "insufficient security", "the peer wants stronger suites"},
	{80, "internal error", "something failed at the peer, independent of this end"},
	{86, "inappropriate fallback", "the peer noticed a version fallback"},
	{90, "user canceled", "the peer gave up"},
	{100, "no renegotiation", "the peer refuses a renegotiation"},
	{109, "missing extension", "an extension is missing that the peer needs"},
	{110, "unsupported extension", "an extension was sent that was not asked for"},
	{112, "unrecognized name", "the server does not know the name in SNI"},
	{113, "bad certificate status response", "the OCSP answer is not accepted"},
	{116, "certificate required", "the server demands a client certificate"},
	{120, "no application protocol", "no protocol of ALPN is shared"},
	{200, "unsupported site to site", "TLCP gateways: site to site is not supported"},
	{201, "no area", "TLCP gateways: the protected area is unknown"},
	{202, "unsupported area type", "TLCP gateways: the kind of protected area is not supported"},
	{203, "bad IBC parameter", "the parameters of identity-based cryptography are not accepted"},
	{204, "unsupported IBC parameter", "the parameters of identity-based cryptography are not supported"},
	{205, "identity needed", "the peer needs the identity for identity-based cryptography"},
}

// AlertName returns name and meaning of an alert.
func AlertName(number uint8) (name, meaning string) {
	for _, a := range Alerts {
		if a.Number == number {
			return a.Name, a.Meaning
		}
	}
	return "unknown alert", "an alert that no standard defines"
}
