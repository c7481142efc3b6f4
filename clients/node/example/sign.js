// SPDX-License-Identifier: Apache-2.0

'use strict';

/**
 * Signs and verifies files. "sign KEY MESSAGE SIGNATURE" writes the signature; "verify CERTIFICATE MESSAGE SIGNATURE" prints true or
 * false. The passphrase of an encrypted key is in the environment, PASSPHRASE: other users of the machine read arguments.
 */

const fs = require('node:fs');
const signer = require('..');

const [verb, file, message, signature, ...more] = process.argv.slice(2);
try {
  if (!signature || more.length > 0) {
    throw new Error('usage: sign KEY MESSAGE SIGNATURE, or verify CERTIFICATE MESSAGE SIGNATURE');
  }
  if (verb === 'sign') {
    const key = signer.readPrivateKey(fs.readFileSync(file), process.env.PASSPHRASE);
    fs.writeFileSync(signature, signer.sign(key, fs.readFileSync(message)));
  } else {
    console.log(signer.verify(signer.readPublicKey(fs.readFileSync(file)), fs.readFileSync(message), fs.readFileSync(signature)));
  }
} catch (err) {
  console.error(err.message);
  process.exitCode = 1;
}
