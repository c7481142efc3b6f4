// SPDX-License-Identifier: Apache-2.0

'use strict';

/**
 * Creates an asset and reads it back. Environment: GATEWAY (http://127.0.0.1:PORT of gmtls proxy), MSP_ID, CERTIFICATE and
 * PRIVATE_KEY (files), CHANNEL, CHAINCODE, and PASSPHRASE for an encrypted key.
 */

const fs = require('node:fs');
const { newSigner, readPrivateKey } = require('..');
const { Gateway } = require('./gateway');

const env = (name) => {
  if (!process.env[name]) {
    throw new Error(`${name} is not set`);
  }
  return process.env[name];
};

async function main() {
  const gateway = new Gateway({
    url: env('GATEWAY'),
    mspId: env('MSP_ID'),
    certificate: fs.readFileSync(env('CERTIFICATE')),
    signer: newSigner(readPrivateKey(fs.readFileSync(env('PRIVATE_KEY')), process.env.PASSPHRASE)),
    channel: env('CHANNEL'),
    chaincode: env('CHAINCODE'),
  });
  try {
    const id = `node-${Date.now()}`;
    const block = await gateway.submit('CreateAsset', id, 'blue', '5', 'node', '100');
    console.log(`committed ${id} in block ${block}`);
    console.log(`read ${await gateway.evaluate('ReadAsset', id)}`);
  } finally {
    gateway.close();
  }
}

main().catch((err) => {
  console.error(err.message);
  process.exitCode = 1;
});
