// SPDX-License-Identifier: Apache-2.0

import java.io.InputStream;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import org.hyperledger.fabric.gm.SM2Keys;
import org.hyperledger.fabric.gm.SM2Signer;

/**
 * Signs and verifies files. "sign KEY MESSAGE SIGNATURE" writes the signature; "verify CERTIFICATE MESSAGE SIGNATURE" prints true or
 * false; "credentials CERTIFICATE FILE" writes what identities show. The passphrase of an encrypted key is in the environment, PASSPHRASE:
 * other users of the machine read arguments.
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
        if (args.length != 4) {
            throw new IllegalArgumentException("usage: sign KEY MESSAGE SIGNATURE, or verify CERTIFICATE MESSAGE SIGNATURE");
        }
        try (Reader pem = Files.newBufferedReader(Path.of(args[1]))) {
            if (args[0].equals("sign")) {
                String passphrase = System.getenv("PASSPHRASE");
                SM2Signer signer = new SM2Signer(SM2Keys.readPrivateKey(pem, passphrase == null ? null : passphrase.toCharArray()));
                Files.write(Path.of(args[3]), signer.sign(Files.readAllBytes(Path.of(args[2]))));
            } else {
                System.out.println(SM2Signer.verify(SM2Keys.readPublicKey(pem),
                    Files.readAllBytes(Path.of(args[2])), Files.readAllBytes(Path.of(args[3]))));
            }
        }
    }
}
