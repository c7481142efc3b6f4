// SPDX-License-Identifier: Apache-2.0

package org.hyperledger.fabric.gm;

import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;

/**
 * Signs with SM2 over SM3 (GB/T 32918.2-2016) and the default signer id, as Fabric's nodes verify it.
 *
 * <p>For the gateway SDK, {@code new SM2Signer(key)::sign} is a Signer. It also needs {@code .hash(Hash.NONE)}, by which the
 * SDK hands over the message itself: an SM2 signature is made over a hash that takes in the signer's key. With any other hash the
 * network refuses the signatures.
 */
public final class SM2Signer {
    private static final String ALGORITHM = "SM3withSM2";

    private final PrivateKey key;

    /** @param key as {@link SM2Keys#readPrivateKey} returns it */
    public SM2Signer(final PrivateKey key) {
        this.key = key;
    }

    /**
     * Signs a message. May be called by several threads.
     *
     * @param message the whole message, not a hash of it
     * @return the signature, in DER
     */
    public byte[] sign(final byte[] message) throws GeneralSecurityException {
        Signature signature = Signature.getInstance(ALGORITHM, SM2Keys.PROVIDER);
        signature.initSign(key);
        signature.update(message);
        return signature.sign();
    }

    /** Verifies a signature in DER. What is not a signature at all does not verify either. */
    public static boolean verify(final PublicKey key, final byte[] message, final byte[] der) throws GeneralSecurityException {
        Signature signature = Signature.getInstance(ALGORITHM, SM2Keys.PROVIDER);
        signature.initVerify(key);
        signature.update(message);
        try {
            return signature.verify(der);
        } catch (java.security.SignatureException e) {
            return false;
        }
    }
}
