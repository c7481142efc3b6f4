// SPDX-License-Identifier: Apache-2.0

import java.io.InputStream;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import org.hyperledger.fabric.gm.SM2Keys;
import org.hyperledger.fabric.gm.SM2Signer;

/**
 * Signs and verifies files. "sign KEY PASSPHRASE MESSAGE SIGNATURE" writes the signature, with - for no passphrase; "verify CERTIFICATE
 * MESSAGE SIGNATURE" prints true or false; "credentials CERTIFICATE FILE" writes what identities show.
 */
public final class Sign {
    private Sign() {
    }

    public static void main(final String[] args) throws Exception {
        if (args[0].equals("credentials")) {
            try (InputStream pem = Files.newInputStream(Path.of(args[1]))) {
                Files.write(Path.of(args[2]), SM2Keys.encodeCertificate(SM2Keys.readCertificate(pem)));
            }
            return;
        }
        try (Reader pem = Files.newBufferedReader(Path.of(args[1]))) {
            if (args[0].equals("sign")) {
                char[] passphrase = args[2].equals("-") ? null : args[2].toCharArray();
                SM2Signer signer = new SM2Signer(SM2Keys.readPrivateKey(pem, passphrase));
                Files.write(Path.of(args[4]), signer.sign(Files.readAllBytes(Path.of(args[3]))));
            } else {
                System.out.println(SM2Signer.verify(SM2Keys.readPublicKey(pem),
                    Files.readAllBytes(Path.of(args[2])), Files.readAllBytes(Path.of(args[3]))));
            }
        }
    }
}
