// SPDX-License-Identifier: Apache-2.0

package org.hyperledger.fabric.gm;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.PublicKey;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Base64;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMException;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.openssl.jcajce.JceOpenSSLPKCS8DecryptorProviderBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.pkcs.PKCS8EncryptedPrivateKeyInfo;
import org.bouncycastle.pkcs.PKCSException;

/** Reads SM2 keys and certificates as our CA, cryptogen and openssl write them. */
public final class SM2Keys {
    static final Provider PROVIDER = new BouncyCastleProvider();

    private SM2Keys() {
    }

    /**
     * Reads a private key.
     *
     * @param pem PKCS #8 or SEC 1; PKCS #8 may be encrypted
     * @param passphrase of an encrypted key, or null
     * @throws IOException if there is no private key that can be read, or if it is not an SM2 key
     */
    public static PrivateKey readPrivateKey(final Reader pem, final char[] passphrase) throws IOException {
        try (PEMParser parser = new PEMParser(pem)) {
            for (Object object = parser.readObject(); object != null; object = parser.readObject()) {
                PrivateKeyInfo info = privateKeyInfo(object, passphrase);
                if (info != null) {
                    requireSM2(info.getPrivateKeyAlgorithm());
                    return new JcaPEMKeyConverter().setProvider(PROVIDER).getPrivateKey(info);
                }
            }
        }
        throw new PEMException("no private key found; 'gmtls key' says what the file is, and converts it");
    }

    /** Returns the key in an object of a PEM file, or null if it is something else, such as the parameters of openssl. */
    private static PrivateKeyInfo privateKeyInfo(final Object object, final char[] passphrase) throws IOException {
        if (object instanceof PrivateKeyInfo) {
            return (PrivateKeyInfo) object;
        }
        if (object instanceof PEMKeyPair) {
            return ((PEMKeyPair) object).getPrivateKeyInfo();
        }
        if (!(object instanceof PKCS8EncryptedPrivateKeyInfo)) {
            return null;
        }
        if (passphrase == null) {
            throw new PEMException("the private key is encrypted, and no passphrase is given");
        }
        try {
            return ((PKCS8EncryptedPrivateKeyInfo) object).decryptPrivateKeyInfo(
                new JceOpenSSLPKCS8DecryptorProviderBuilder().setProvider(PROVIDER).build(passphrase));
        } catch (OperatorCreationException | PKCSException e) {
            throw new PEMException("the private key cannot be decrypted: the passphrase is wrong, or 'gmtls key' has to convert it", e);
        }
    }

    /**
     * Reads a public key, alone or in a certificate.
     *
     * @param pem PUBLIC KEY or CERTIFICATE
     * @throws IOException if there is none, or if it is not an SM2 key
     */
    public static PublicKey readPublicKey(final Reader pem) throws IOException {
        try (PEMParser parser = new PEMParser(pem)) {
            Object object = parser.readObject();
            SubjectPublicKeyInfo info;
            if (object instanceof X509CertificateHolder) {
                info = ((X509CertificateHolder) object).getSubjectPublicKeyInfo();
            } else if (object instanceof SubjectPublicKeyInfo) {
                info = (SubjectPublicKeyInfo) object;
            } else {
                throw new PEMException("no public key or certificate found");
            }
            requireSM2(info.getAlgorithm());
            return new JcaPEMKeyConverter().setProvider(PROVIDER).getPublicKey(info);
        }
    }

    /**
     * Reads a certificate. Java's own X.509 parser refuses SM2 keys, so it is BouncyCastle's.
     *
     * @param pem CERTIFICATE
     */
    public static X509Certificate readCertificate(final java.io.InputStream pem) throws CertificateException {
        return (X509Certificate) CertificateFactory.getInstance("X.509", PROVIDER).generateCertificate(pem);
    }

    /**
     * Encodes a certificate as the credentials of an identity, in the one form that channels with GM_V1 accept. BouncyCastle's writer, which
     * the SDK's X509Identity uses, ends lines as the platform does: on Windows, every node would refuse the identity.
     *
     * @return PEM whose lines end in LF
     */
    public static byte[] encodeCertificate(final X509Certificate certificate) throws CertificateException {
        String body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(certificate.getEncoded());
        return ("-----BEGIN CERTIFICATE-----\n" + body + "\n-----END CERTIFICATE-----\n").getBytes(StandardCharsets.US_ASCII);
    }

    private static void requireSM2(final AlgorithmIdentifier algorithm) throws PEMException {
        if (!GMObjectIdentifiers.sm2p256v1.equals(algorithm.getParameters())) {
            throw new PEMException("the key is not an SM2 key: an identity of this network has a key on the curve " + GMObjectIdentifiers.sm2p256v1);
        }
    }
}
