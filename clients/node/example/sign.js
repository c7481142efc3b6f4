// SPDX-License-Identifier: Apache-2.0

'use strict';

/**
 * Signs and verifies files. "sign KEY PASSPHRASE MESSAGE SIGNATURE" writes the signature, with - for no passphrase; "verify
 * CERTIFICATE MESSAGE SIGNATURE" prints true or false.
 */

const fs = require('node:fs');
const signer = require('..');

const [verb, file, ...rest] = process.argv.slice(2);
try {
  if (verb === 'sign') {
    const [passphrase, message, signature] = rest;
    const key = signer.readPrivateKey(fs.readFileSync(file), passphrase === '-' ? undefined : passphrase);
    fs.writeFileSync(signature, signer.sign(key, fs.readFileSync(message)));
  } else {
    const [message, signature] = rest;
    console.log(signer.verify(signer.readPublicKey(fs.readFileSync(file)), fs.readFileSync(message), fs.readFileSync(signature)));
  }
} catch (err) {
  console.error(err.message);
  process.exitCode = 1;
}
